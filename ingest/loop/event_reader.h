// From a record to the event that folds take: decodes key and value.
#ifndef TIDEGATE_INGEST_LOOP_EVENT_READER_H_
#define TIDEGATE_INGEST_LOOP_EVENT_READER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ingest/decode/decoder.h"
#include "ingest/record.h"
#include "views/fold/event.h"
#include "views/plan/plan.h"

namespace tidegate {

// Reads the records of one source. Runs on the fold thread; owns the row that
// its events borrow, so one event lives at a time.
class EventReader {
 public:
  // `source` must outlive the reader.
  static absl::StatusOr<std::unique_ptr<EventReader>> Create(
      const SourcePlan* source, const std::vector<bool>& used,
      const std::string& base_dir);

  // Fills `event`, which borrows from the record and this reader until the next
  // call. InvalidArgument if the record is a bad one.
  absl::Status Read(const RawRecord& record, Event* event);

 private:
  explicit EventReader(const SourcePlan* source) : source_(*source) {}
  // One column of INCLUDE that is used.
  struct Wanted {
    int column = 0;
    Metadata what = Metadata::kKey;
    std::string header;
  };
  absl::Status ReadTableRow(const RawRecord& record, Event* event);
  // Sets the columns of INCLUDE in row_.
  absl::Status ReadIncluded(const RawRecord& record);
  absl::Status ReadOne(const Wanted& wanted, const RawRecord& record,
                       Datum* datum) const;

  const SourcePlan& source_;
  std::vector<Wanted> included_;
  std::unique_ptr<Decoder> value_;
  std::unique_ptr<Decoder> key_;  // tables only
  std::vector<Datum> row_;
  std::vector<Datum> key_row_;  // of which the key columns are set
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_EVENT_READER_H_

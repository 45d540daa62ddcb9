// From a record to the event that folds take: decodes key and value.
#ifndef TIDEGATE_INGEST_LOOP_EVENT_READER_H_
#define TIDEGATE_INGEST_LOOP_EVENT_READER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ingest/decode/decoder.h"
#include "ingest/record.h"
#include "ingest/registry/framed_decoder.h"
#include "ingest/registry/writer_decoders.h"
#include "views/fold/event.h"
#include "views/plan/plan.h"

namespace tidegate {

// Reads the records of one source. Runs on the fold thread; owns the row that
// its events borrow, so one event lives at a time.
class EventReader {
 public:
  // `source` and `registries`, which may be null if it has none, must outlive
  // the reader. `wake` is called, on any thread, when what was Unavailable may
  // be there.
  static absl::StatusOr<std::unique_ptr<EventReader>> Create(
      const SourcePlan* source, const std::vector<bool>& used,
      const std::string& base_dir, SchemaRegistries* registries,
      std::function<void()> wake);

  // Fills `event`, which borrows from the record and this reader until the next
  // call. InvalidArgument if the record is a bad one; else as FramedDecoder.
  absl::Status Read(const RawRecord& record, Event* event);
  // What is a bad record now may be none another time: a schema registry has a
  // say in it.
  bool asks_registry() const { return framed_ != nullptr; }
  // What was read last will be read once more, until the watermark has passed
  // `time`.
  void KeepUntil(EventTime time) {
    if (framed_ != nullptr) framed_->KeepUntil(time);
  }
  void set_watermark(EventTime watermark) {
    if (framed_ != nullptr) framed_->set_watermark(watermark);
  }

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
  FramedDecoder* framed_ = nullptr;  // value_ has it, if there is a registry
  std::unique_ptr<Decoder> key_;     // tables only
  std::vector<Datum> row_;
  std::vector<Datum> key_row_;  // of which the key columns are set
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_EVENT_READER_H_

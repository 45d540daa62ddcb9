// The unary calls of a view service, without Protobuf in the way.
#ifndef TIDEGATE_CLIENTS_CPP_VIEW_CLIENT_H_
#define TIDEGATE_CLIENTS_CPP_VIEW_CLIENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cpp/connect_options.h"
#include "clients/cpp/event.h"
#include "clients/cpp/finality.h"

namespace tidegate::client {

// How far a partition of the view's sources has come in event time.
struct PartitionProgress {
  std::string topic;
  uint32_t partition = 0;
  std::optional<int64_t> watermark_us;
  std::string state;        // "active", "idle", "no_events", "error", …
  bool holds_back = false;  // the view's watermark waits for it
};

struct ViewDescription {
  std::string name;
  std::string definition;  // the SQL
  std::vector<std::string> key_columns;
  std::string pipeline;
  uint64_t version = 0;
  uint64_t row_count_estimate = 0;
  StreamPosition position;
  std::optional<int64_t> watermark_us;
  std::string event_time_column;
  std::optional<int64_t> watermark_delay_ms;
  // Those that bear on the watermark, by topic, then number.
  std::vector<PartitionProgress> partitions;
  // Serialized google.protobuf.FileDescriptorSet; from Describe only.
  std::string descriptors;
};

struct FoundRow {
  std::string row;  // <View>Row
  Finality finality = Finality::kNone;
};

struct FoundRows {
  // One entry per key, in the order asked; nullopt where there is no row.
  std::vector<std::optional<FoundRow>> rows;
  StreamPosition position;
  std::optional<int64_t> watermark_us;
};

struct ScannedRows {
  std::vector<FoundRow> rows;  // in key order
  StreamPosition position;
  std::optional<int64_t> watermark_us;
};

struct ScanOptions {
  uint32_t page_size = 0;  // rows of a call; 0: the server's default
  std::string key_prefix;  // <View>Key with its leading columns set
  std::string where;       // SQL over the view's columns
  // Rows at least as new: waited for up to the timeout.
  std::optional<StreamPosition> min_position;
};

// Thread-safe. Every call waits for the server up to the timeout; of a scan,
// every page. Of several servers, each is asked until one can be reached.
// Read(), Get(), Scan() and ScanAll() ask again, by the backoff, as long as the
// timeout lasts, where no server is available, and where one has said when. A
// promise that a server has broken is DataLoss.
class ViewClient {
 public:
  static std::unique_ptr<ViewClient> Create(const std::string& server,
                                            int64_t timeout_ms);
  static std::unique_ptr<ViewClient> Create(const ConnectOptions& options,
                                            int64_t timeout_ms);
  virtual ~ViewClient() = default;

  virtual absl::StatusOr<std::vector<ViewDescription>> List() = 0;
  virtual absl::StatusOr<ViewDescription> Describe(const std::string& view) = 0;
  // <View>Key messages. Rows at least as new as `min_position`, if there is
  // one: waited for up to the timeout.
  virtual absl::StatusOr<FoundRows> Read(
      const std::string& view, const std::vector<std::string>& keys,
      const std::optional<StreamPosition>& min_position) = 0;
  // The rows alone, as new as they are.
  absl::StatusOr<std::vector<std::optional<FoundRow>>> Get(
      const std::string& view, const std::vector<std::string>& keys);
  // Calls `sink` with every row that is asked for in key order, all as of one
  // position, until it returns false; returns that position. Rows come as their
  // pages do: where the server gives the scan up it begins anew, unless `sink`
  // has had rows already; then the status is Aborted.
  virtual absl::StatusOr<StreamPosition> Scan(
      const std::string& view, const ScanOptions& options,
      absl::FunctionRef<bool(const FoundRow& row)> sink) = 0;
  // All of them, once the last one is there; so it can always begin anew.
  virtual absl::StatusOr<ScannedRows> ScanAll(const std::string& view,
                                              const ScanOptions& options) = 0;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_VIEW_CLIENT_H_

// What a subscriber is told. Plain data; knows neither gRPC nor Protobuf.
#ifndef TIDEGATE_CLIENTS_CPP_EVENT_H_
#define TIDEGATE_CLIENTS_CPP_EVENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "clients/cpp/finality.h"

namespace tidegate::client {

struct Change {
  enum class Kind { kUpsert, kDeleted, kLeft };
  Kind kind = Kind::kUpsert;
  std::string bytes;                    // <View>Row for kUpsert, else <View>Key
  Finality finality = Finality::kNone;  // of an upsert
};

struct Range {
  uint32_t partition = 0;
  uint64_t from = 0;  // exclusive
  uint64_t to = 0;    // inclusive
};

struct StreamPosition {
  std::string incarnation;
  std::map<uint32_t, uint64_t> seqs;  // by log partition
};

// A batch of changes is whole: it is never split between two events.
struct Event {
  enum class Kind {
    kConnected,     // resumed from `token`; if empty: forget everything held
    kSnapshot,      // changes: rows of the snapshot; `token` if one came
    kSnapshotEnd,   // position, token
    kChanges,       // changes (may be none), ranges, position, token
    kReset,         // forget everything; cause, detail; a snapshot follows
    kDrain,         // the server goes away; token, retry_after_ms
    kDisconnected,  // detail; a new attempt follows after retry_after_ms
    kBroken,        // the stream broke a promise: detail; the last event
  };
  Kind kind = Kind::kChanges;
  std::vector<Change> changes;
  std::vector<Range> ranges;
  std::optional<StreamPosition> position;
  std::string token;
  std::optional<int64_t> watermark_us;
  std::optional<int64_t> committed_us;  // by the server's clock
  std::optional<int64_t> sent_us;
  std::string cause;  // e.g. "HISTORY_TRIMMED"
  std::string detail;
  int64_t retry_after_ms = 0;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_EVENT_H_

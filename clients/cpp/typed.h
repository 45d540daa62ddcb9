// Rows and keys as generated classes. `tidegate proto driver_totals` prints a
// .proto with DriverTotalsRow and DriverTotalsKey; of what protoc makes of it:
//
//   TypedView<DriverTotalsRow, DriverTotalsKey> totals(client,
//   "driver_totals");
//
// Of the generated classes, only ParseFromArray and SerializeAsString are used.
#ifndef TIDEGATE_CLIENTS_CPP_TYPED_H_
#define TIDEGATE_CLIENTS_CPP_TYPED_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "clients/cpp/tidegate_client.h"

namespace tidegate::client {

// DataLoss if they are no such message.
template <typename Message>
absl::StatusOr<Message> ParseMessage(absl::string_view bytes) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError(
        absl::StrCat("malformed row of ", bytes.size(), " bytes"));
  }
  return message;
}

template <typename Row>
struct TypedRow {
  Row row;
  Finality finality = Finality::kNone;
};

template <typename Row>
struct TypedScan {
  std::vector<TypedRow<Row>> rows;  // in key order
  StreamPosition position;
  std::optional<int64_t> watermark_us;
};

// `before` is absent if no such row was held, `after` if there is none now.
template <typename Row>
struct TypedChange {
  Change::Kind kind = Change::Kind::kUpsert;
  std::optional<Row> before;
  std::optional<Row> after;
  Finality finality = Finality::kNone;  // of `after`
};

// See Handlers. Whoever wants to end a subscription from within stops it.
template <typename Row>
struct TypedHandlers {
  std::function<void(const TypedChange<Row>& change)> on_change;
  std::function<void(const Event& event)> on_event;
  std::function<void(uint64_t request)> on_keys_applied;
  std::function<void(const absl::Status& why)> on_end;
};

// Reads a mirror. Thread-safe, as that is; must not outlive it.
template <typename Row, typename Key>
class TypedMirror {
 public:
  explicit TypedMirror(const Mirror* mirror) : mirror_(mirror) {}

  const Mirror& mirror() const { return *mirror_; }
  size_t size() const { return mirror_->size(); }
  absl::StatusOr<std::optional<Row>> Get(const Key& key) const {
    const RowRef found = mirror_->Find(key.SerializeAsString());
    if (found == nullptr) return std::optional<Row>();
    auto row = ParseMessage<Row>(found->row);
    if (!row.ok()) return row.status();
    return std::optional<Row>(*std::move(row));
  }
  // All rows as of one position, in key order, until `sink` returns false.
  absl::Status ForEach(absl::FunctionRef<bool(const Row& row)> sink) const {
    absl::Status status;
    mirror_->Read().rows.ForEach([&](const RowRef& each) {
      const auto row = ParseMessage<Row>(each->row);
      status = row.status();
      return row.ok() && sink(*row);
    });
    return status;
  }
  absl::Status WaitUntilLive(std::chrono::milliseconds timeout) const {
    return mirror_->WaitUntilLive(timeout);
  }
  absl::Status WaitUntilAt(const StreamPosition& position,
                           std::chrono::milliseconds timeout) const {
    return mirror_->WaitUntilAt(position, timeout);
  }

 private:
  const Mirror* mirror_;
};

// One view. Thread-safe; must not outlive its client.
template <typename Row, typename Key>
class TypedView {
 public:
  TypedView(Client* client, std::string view)
      : client_(client), view_(std::move(view)) {}

  absl::StatusOr<std::optional<TypedRow<Row>>> Get(
      const Key& key,
      const std::optional<StreamPosition>& min_position = std::nullopt) const {
    auto found = client_->Read(view_, {key.SerializeAsString()}, min_position);
    if (!found.ok()) return found.status();
    if (!found->rows[0].has_value()) return std::optional<TypedRow<Row>>();
    auto row = ParseMessage<Row>(found->rows[0]->row);
    if (!row.ok()) return row.status();
    return TypedRow<Row>{*std::move(row), found->rows[0]->finality};
  }

  // As ViewClient::Scan.
  absl::StatusOr<StreamPosition> Scan(
      const ScanOptions& options,
      absl::FunctionRef<bool(const Row& row)> sink) const {
    absl::Status status;
    auto position = client_->Scan(view_, options, [&](const FoundRow& found) {
      const auto row = ParseMessage<Row>(found.row);
      status = row.status();
      return row.ok() && sink(*row);
    });
    if (!status.ok()) return status;
    return position;
  }

  // As ViewClient::ScanAll.
  absl::StatusOr<TypedScan<Row>> ScanAll(const ScanOptions& options) const {
    const auto scanned = client_->ScanAll(view_, options);
    if (!scanned.ok()) return scanned.status();
    TypedScan<Row> typed;
    typed.position = scanned->position;
    typed.watermark_us = scanned->watermark_us;
    for (const FoundRow& found : scanned->rows) {
      auto row = ParseMessage<Row>(found.row);
      if (!row.ok()) return row.status();
      typed.rows.push_back({*std::move(row), found.finality});
    }
    return typed;
  }

  // What `options` say, of this view; `keys` are added to theirs.
  std::unique_ptr<Subscription> Subscribe(
      SubscribeOptions options, TypedHandlers<Row> handlers = {},
      const std::vector<Key>& keys = {}) const {
    return client_->Subscribe(Of(std::move(options), keys),
                              Untyped(std::move(handlers)));
  }
  std::unique_ptr<Watch> AddWatch(Session* session, SubscribeOptions options,
                                  TypedHandlers<Row> handlers = {},
                                  const std::vector<Key>& keys = {}) const {
    return session->AddWatch(Of(std::move(options), keys),
                             Untyped(std::move(handlers)));
  }
  static TypedMirror<Row, Key> Rows(const Subscription& subscription) {
    return TypedMirror<Row, Key>(&subscription.rows());
  }
  static TypedMirror<Row, Key> Rows(const Watch& watch) {
    return TypedMirror<Row, Key>(&watch.rows());
  }
  static std::vector<std::string> Bytes(const std::vector<Key>& keys) {
    std::vector<std::string> bytes;
    bytes.reserve(keys.size());
    for (const Key& key : keys) bytes.push_back(key.SerializeAsString());
    return bytes;
  }

 private:
  SubscribeOptions Of(SubscribeOptions options,
                      const std::vector<Key>& keys) const {
    options.view = view_;
    for (std::string& key : Bytes(keys)) options.keys.push_back(std::move(key));
    return options;
  }

  static absl::Status Fill(const RowRef& from, std::optional<Row>* to) {
    if (from == nullptr) return absl::OkStatus();
    auto row = ParseMessage<Row>(from->row);
    if (!row.ok()) return row.status();
    *to = *std::move(row);
    return absl::OkStatus();
  }

  static Handlers Untyped(TypedHandlers<Row> typed) {
    Handlers handlers;
    handlers.on_keys_applied = std::move(typed.on_keys_applied);
    handlers.on_end = std::move(typed.on_end);
    if (typed.on_event) {
      handlers.on_event = [tell = std::move(typed.on_event)](const Event& e) {
        tell(e);
        return absl::OkStatus();
      };
    }
    if (typed.on_change) {
      handlers.on_change =
          [tell = std::move(typed.on_change)](const RowChange& change) {
            TypedChange<Row> typed_change;
            typed_change.kind = change.kind;
            absl::Status filled = Fill(change.before, &typed_change.before);
            filled.Update(Fill(change.after, &typed_change.after));
            if (!filled.ok()) return filled;
            if (change.after != nullptr) {
              typed_change.finality = change.after->finality;
            }
            tell(typed_change);
            return filled;
          };
    }
    return handlers;
  }

  Client* const client_;
  const std::string view_;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_TYPED_H_

// For tests: schema registries that do what they are told, in one thread.
#ifndef TIDEGATE_INGEST_REGISTRY_FAKE_REGISTRIES_H_
#define TIDEGATE_INGEST_REGISTRY_FAKE_REGISTRIES_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ingest/registry/writer_decoders.h"

namespace tidegate {

// Thread-compatible. Outlives what it has opened.
class FakeRegistries final : public SchemaRegistries {
 public:
  // The schema comes; whoever waits is woken.
  void Add(WriterSchema schema) {
    schemas_[schema.id] = std::move(schema);
    WakeAll();
  }
  void AddProtobuf(int32_t id, const std::string& text) {
    WriterSchema schema;
    schema.id = id;
    schema.text = text;
    Add(std::move(schema));
  }
  // There is no such schema, and it is known that there is none.
  void SetMissing(int32_t id) {
    schemas_[id] = std::nullopt;
    WakeAll();
  }
  int opened() const { return static_cast<int>(clients_.size()); }
  int taken() const { return taken_; }  // calls of Take()

  absl::StatusOr<std::unique_ptr<WriterDecoders>> Open(
      const std::string& /*url*/, WriterDecoderMaker make,
      std::function<void()> wake) override {
    return std::make_unique<Client>(this, std::move(make), std::move(wake));
  }

 private:
  class Client final : public WriterDecoders {
   public:
    Client(FakeRegistries* fake, WriterDecoderMaker make,
           std::function<void()> wake)
        : fake_(*fake), make_(std::move(make)), wake_(std::move(wake)) {
      fake_.clients_.insert(this);
    }
    ~Client() override { fake_.clients_.erase(this); }
    absl::StatusOr<std::unique_ptr<Decoder>> Take(
        int32_t id, const std::vector<int>& message_indexes) override {
      ++fake_.taken_;
      const auto found = fake_.schemas_.find(id);
      if (found == fake_.schemas_.end()) {
        return absl::UnavailableError(
            absl::StrCat("schema ", id, " is awaited"));
      }
      if (!found->second.has_value()) {
        return absl::NotFoundError(
            absl::StrCat("schema ", id, " is not in the registry"));
      }
      auto made = make_(*found->second, message_indexes);
      if (!made.ok()) {
        return absl::FailedPreconditionError(made.status().message());
      }
      return made;
    }
    void Wake() const { wake_(); }

   private:
    FakeRegistries& fake_;
    const WriterDecoderMaker make_;
    const std::function<void()> wake_;
  };
  void WakeAll() {
    for (const Client* client : clients_) client->Wake();
  }

  std::map<int32_t, std::optional<WriterSchema>> schemas_;
  std::set<Client*> clients_;
  int taken_ = 0;
};

// A record in the wire format: `id`, `indexes` as they are on the wire.
inline std::string FramedRecord(int32_t id, absl::string_view indexes,
                                absl::string_view record) {
  std::string bytes(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(id >> shift & 0xff));
  }
  absl::StrAppend(&bytes, indexes, record);
  return bytes;
}
// Of the first message.
inline constexpr absl::string_view kFirstMessage("\0", 1);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_REGISTRY_FAKE_REGISTRIES_H_

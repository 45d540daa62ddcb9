// One call on a completion queue, from the request for it to its last event.
#ifndef TIDEGATE_GATEWAY_GRPC_CALL_H_
#define TIDEGATE_GATEWAY_GRPC_CALL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/core/stream.h"
#include "gateway/grpc/methods.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/status.h"

namespace tidegate {

class Call;

// What a call needs of the thread whose queue it is on.
class CallHost : public CallThread {
 public:
  // Asks gRPC for the next call; nothing is asked for any more once false.
  virtual bool Request(grpc::GenericServerContext* context,
                       grpc::GenericServerAsyncReaderWriter* stream,
                       void* tag) = 0;
  // A call has come: there must be another request for the next one.
  virtual void Accepted() = 0;
  virtual const MethodTable& methods() const = 0;
  // As clients see it, with a retry delay where one makes sense.
  virtual grpc::Status Refusal(const absl::Status& status) = 0;
  // The stream's client has gone, or was cut, before its stream was finished.
  virtual void StreamCut() = 0;
  // The queue takes no new operations.
  virtual bool closed() const = 0;
};

// Of the queue's thread. Deletes itself after its last event. At most one read,
// one write and one finish are under way; no operation allocates a tag.
class Call : public Transport {
 public:
  enum class Event : uint8_t {
    kAccept,
    kHeaders,
    kRead,
    kWrite,
    kFinish,
    kDone
  };
  // What a completion queue returns.
  struct Tag {
    Call* call;
    Event event;
  };

  // Waits for a client's next call.
  static void Expect(CallHost* host);
  void On(Event event, bool ok);

  void Write(Message message) override;
  void Finish(const absl::Status& status, int64_t retry_after_ms) override;

 private:
  explicit Call(CallHost* host);
  ~Call() override = default;

  void OnAccept();
  void OnRequest();
  void OnHalfClose();
  void OnWritten(bool ok);
  void OnDone();
  void StartUnary(std::string request);
  void Reply(absl::StatusOr<std::string> answer);
  void OpenStream(const std::string& request);
  void Read();
  void FinishWith(const grpc::Status& status);
  // False if the queue takes no more: then nothing is started.
  bool Begin();
  void DeleteIfOver();
  ProcessingTime Deadline() const;

  CallHost* const host_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  Tag accept_{this, Event::kAccept};
  Tag headers_{this, Event::kHeaders};
  Tag read_{this, Event::kRead};
  Tag write_{this, Event::kWrite};
  Tag finish_{this, Event::kFinish};
  Tag done_{this, Event::kDone};

  const Method* method_ = nullptr;
  StreamId stream_id_ = 0;
  grpc::ByteBuffer request_;
  int pending_ = 0;  // events to come, the last one aside, and a reply
  bool reading_ = false;
  bool half_closed_ = false;
  bool finished_ = false;  // Finish has been started
  bool over_ = false;      // the last event has come
};

// HOST of gRPC's "ipv4:HOST:PORT" and the like.
std::string PeerAddress(absl::string_view peer);
// Without copying what is shared, but for small pieces.
grpc::ByteBuffer ToByteBuffer(Message message);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_CALL_H_

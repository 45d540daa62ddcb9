// A Subscribe stream: one watch, whose messages it sends.
#ifndef TIDEGATE_GATEWAY_CORE_SUBSCRIBE_STREAM_H_
#define TIDEGATE_GATEWAY_CORE_SUBSCRIBE_STREAM_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "gateway/core/stream.h"

namespace tidegate {

// Of the fan-out's thread.
class SubscribeStream : public Stream {
 public:
  // `pipeline` and `stats` must outlive it, the registry too.
  static absl::StatusOr<std::unique_ptr<Stream>> Create(
      std::unique_ptr<Subscription> subscription,
      const ServedPipeline* pipeline, ViewStats* stats,
      WatchRegistry* registry);
  ~SubscribeStream() override;

  absl::StatusOr<bool> Next(ProcessingTime now, Message* message) override;
  void Woken(Watch* watch) override;
  ProcessingTime due() const override;
  bool awaits_rows() const override;
  bool behind() const override;
  void SetBlocked(bool blocked) override;
  bool mid_range() const override;
  void Drain(ProcessingTime now, int64_t retry_after_ms,
             Message* message) override;

 private:
  SubscribeStream(std::unique_ptr<Subscription> subscription,
                  const ServedPipeline* pipeline, ViewStats* stats,
                  WatchRegistry* registry);
  void CountMessage(bool live, ProcessingTime now, size_t bytes);
  void CountState();

  WatchRegistry* const registry_;
  Watch watch_;
  bool registered_ = false;
  SubscriberState counted_ = SubscriberState::kCatchingUp;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SUBSCRIBE_STREAM_H_

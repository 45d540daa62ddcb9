#include "views/store/log_pins.h"

#include <algorithm>
#include <utility>

namespace tidegate {

class LogPins::Handle : public LogPin {
 public:
  Handle(std::shared_ptr<LogPins> pins, uint64_t id)
      : pins_(std::move(pins)), id_(id) {}
  ~Handle() override { pins_->Release(id_); }

 private:
  const std::shared_ptr<LogPins> pins_;
  const uint64_t id_;
};

std::unique_ptr<LogPin> LogPins::Pin(Seq seq, ProcessingTime now) {
  MutexLock lock(&mutex_);
  const uint64_t id = next_id_++;
  pins_[id] = {seq, now};
  return std::make_unique<Handle>(shared_from_this(), id);
}

Seq LogPins::Lowest(Seq limit, ProcessingTime now, int64_t max_age_ms) const {
  MutexLock lock(&mutex_);
  for (const auto& [id, pin] : pins_) {
    if (now.value() - pin.made_at.value() <= max_age_ms * 1000) {
      limit = std::min(limit, pin.seq);
    }
  }
  return limit;
}

void LogPins::Release(uint64_t id) {
  MutexLock lock(&mutex_);
  pins_.erase(id);
}

}  // namespace tidegate

// EventOrder as bytes, for the states of folds.
#ifndef TIDEGATE_VIEWS_FOLD_ORDER_CODEC_H_
#define TIDEGATE_VIEWS_FOLD_ORDER_CODEC_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/coding.h"
#include "views/fold/event.h"

namespace tidegate {

inline void PutOrder(std::string* out, const EventOrder& order) {
  PutVarint64(out, ZigZag(order.time.value()));
  PutVarint64(out, ZigZag(order.partition.value()));
  PutVarint64(out, ZigZag(order.offset.value()));
}

// Takes an order off the front of `in`; false if it is malformed.
inline bool GetOrder(absl::string_view* in, EventOrder* order) {
  uint64_t time, partition, offset;
  if (!GetVarint64(in, &time) || !GetVarint64(in, &partition) ||
      !GetVarint64(in, &offset)) {
    return false;
  }
  order->time = EventTime(UnZigZag(time));
  order->partition = PartitionId(static_cast<int32_t>(UnZigZag(partition)));
  order->offset = Offset(UnZigZag(offset));
  return true;
}

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_ORDER_CODEC_H_

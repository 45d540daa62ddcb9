// A serialized response in pieces, so that what many clients receive exists
// once.
#ifndef TIDEGATE_GATEWAY_CORE_MESSAGE_H_
#define TIDEGATE_GATEWAY_CORE_MESSAGE_H_

#include <cstddef>
#include <memory>
#include <string>

namespace tidegate {

using SharedBytes = std::shared_ptr<const std::string>;

// One SubscribeResponse or SessionResponse: `shared`, then `own`, one after the
// other (fields of a Protobuf message concatenate). Thread-compatible; the
// shared part is immutable.
struct Message {
  SharedBytes shared;  // null: nothing is shared
  std::string own;

  size_t size() const {
    return (shared == nullptr ? 0 : shared->size()) + own.size();
  }
  bool empty() const { return size() == 0; }
  void Clear() {
    shared.reset();
    own.clear();
  }
  // The whole in one piece, by copying.
  std::string Flat() const { return shared == nullptr ? own : *shared + own; }
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_MESSAGE_H_

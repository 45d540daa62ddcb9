// The rows of a mirror: an ordered map whose copies are cheap, so that a reader
// keeps one state for as long as it likes while the next is being made.
#ifndef TIDEGATE_CLIENTS_CPP_ROW_MAP_H_
#define TIDEGATE_CLIENTS_CPP_ROW_MAP_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "clients/cpp/finality.h"

namespace tidegate::client {

struct MirroredRow {
  std::string order;  // its key, as KeyOrder writes it
  std::string row;    // <View>Row
  Finality finality = Finality::kNone;
};
using RowRef = std::shared_ptr<const MirroredRow>;

// A copy shares with its original what neither has changed; several threads
// may each use a copy of their own. Otherwise thread-compatible.
class RowMap {
 public:
  size_t size() const { return size_; }
  // Of rows, their keys and what holds them.
  size_t bytes() const { return bytes_; }
  static size_t BytesOf(const MirroredRow& row);

  // Null if there is none.
  RowRef Find(absl::string_view order) const;
  // What was there before; null if nothing.
  RowRef Put(RowRef row);
  RowRef Erase(absl::string_view order);
  // In order, until `sink` returns false.
  void ForEach(absl::FunctionRef<bool(const RowRef& row)> sink) const;

  // In order, every key whose row is not the same in both.
  static void Diff(
      const RowMap& before, const RowMap& after,
      absl::FunctionRef<void(const RowRef& before, const RowRef& after)> sink);

 private:
  struct Node;
  class Walk;
  // An owner of a node, one of several.
  class NodeRef {
   public:
    NodeRef() = default;
    explicit NodeRef(Node* owned) : node_(owned) {}
    NodeRef(const NodeRef& other);
    NodeRef(NodeRef&& other) noexcept : node_(other.node_) {
      other.node_ = nullptr;
    }
    NodeRef& operator=(NodeRef other) noexcept {
      Node* const mine = node_;
      node_ = other.node_;
      other.node_ = mine;
      return *this;
    }
    ~NodeRef();
    Node* get() const { return node_; }
    Node* operator->() const { return node_; }

   private:
    Node* node_ = nullptr;
  };

  // Makes `at` the only owner of its node.
  static void Own(NodeRef* at);
  static RowRef PutAt(NodeRef* at, RowRef row);
  static RowRef EraseAt(NodeRef* at, absl::string_view order);
  // All of `left` lies before all of `right`.
  static NodeRef Merge(NodeRef left, NodeRef right);

  NodeRef root_;
  size_t size_ = 0;
  size_t bytes_ = 0;
};

// Neither is there, or both say the same.
bool SameRow(const RowRef& a, const RowRef& b);

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_ROW_MAP_H_

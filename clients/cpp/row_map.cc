// A treap: a search tree by key and a heap by a hash of the key, so its shape
// depends on the keys alone and its depth grows with the logarithm of their
// number. A change copies the nodes on its way that another copy of the map
// still owns, and changes the others in place.
#include "clients/cpp/row_map.h"

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/coding.h"

namespace tidegate::client {

struct RowMap::Node {
  Node(RowRef row_in, uint64_t priority_in)
      : priority(priority_in), row(std::move(row_in)) {}
  Node(const Node& other)
      : priority(other.priority),
        row(other.row),
        left(other.left),
        right(other.right) {}
  Node& operator=(const Node&) = delete;

  std::atomic<uint32_t> owners{1};
  const uint64_t priority;
  RowRef row;
  NodeRef left;
  NodeRef right;
};

namespace {

// What a row costs beside its bytes: a node, a row, their allocations.
constexpr size_t kRowOverheadBytes = 192;

// FNV's high bits are weak for short keys.
uint64_t Priority(absl::string_view order) {
  uint64_t hash = Fnv1a64(order);
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  return hash ^ hash >> 33;
}

}  // namespace

size_t RowMap::BytesOf(const MirroredRow& row) {
  return row.order.size() + row.row.size() + kRowOverheadBytes;
}

bool SameRow(const RowRef& a, const RowRef& b) {
  if (a == b) return true;
  return a != nullptr && b != nullptr && a->finality == b->finality &&
         a->row == b->row;
}

RowMap::NodeRef::NodeRef(const NodeRef& other) : node_(other.node_) {
  if (node_ != nullptr) node_->owners.fetch_add(1, std::memory_order_relaxed);
}

RowMap::NodeRef::~NodeRef() {
  // The last owner sees what all others have read and written.
  if (node_ != nullptr &&
      node_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete node_;
  }
}

void RowMap::Own(NodeRef* at) {
  // Another owner that has just gone has read its last before this.
  if (at->get()->owners.load(std::memory_order_acquire) == 1) return;
  *at = NodeRef(new Node(*at->get()));
}

RowRef RowMap::PutAt(NodeRef* at, RowRef row) {
  if (at->get() == nullptr) {
    const uint64_t priority = Priority(row->order);
    *at = NodeRef(new Node(std::move(row), priority));
    return nullptr;
  }
  Own(at);
  Node* const node = at->get();
  const int order = row->order.compare(node->row->order);
  if (order == 0) return std::exchange(node->row, std::move(row));
  NodeRef* const child = order < 0 ? &node->left : &node->right;
  RowRef before = PutAt(child, std::move(row));
  if ((*child)->priority > node->priority) {
    // The child, which is owned by now, goes above the node.
    NodeRef up = std::move(*child);
    if (order < 0) {
      node->left = std::move(up->right);
      up->right = std::move(*at);
    } else {
      node->right = std::move(up->left);
      up->left = std::move(*at);
    }
    *at = std::move(up);
  }
  return before;
}

RowMap::NodeRef RowMap::Merge(NodeRef left, NodeRef right) {
  if (left.get() == nullptr) return right;
  if (right.get() == nullptr) return left;
  if (left->priority > right->priority) {
    Own(&left);
    left->right = Merge(std::move(left->right), std::move(right));
    return left;
  }
  Own(&right);
  right->left = Merge(std::move(left), std::move(right->left));
  return right;
}

RowRef RowMap::EraseAt(NodeRef* at, absl::string_view order) {
  Own(at);
  Node* const node = at->get();
  const int compared = order.compare(node->row->order);
  if (compared < 0) return EraseAt(&node->left, order);
  if (compared > 0) return EraseAt(&node->right, order);
  RowRef row = std::move(node->row);
  *at = Merge(std::move(node->left), std::move(node->right));
  return row;
}

RowRef RowMap::Find(absl::string_view order) const {
  const Node* node = root_.get();
  while (node != nullptr) {
    const int compared = order.compare(node->row->order);
    if (compared == 0) return node->row;
    node = (compared < 0 ? node->left : node->right).get();
  }
  return nullptr;
}

RowRef RowMap::Put(RowRef row) {
  const size_t bytes = BytesOf(*row);
  RowRef before = PutAt(&root_, std::move(row));
  bytes_ += bytes;
  if (before == nullptr) {
    ++size_;
  } else {
    bytes_ -= BytesOf(*before);
  }
  return before;
}

RowRef RowMap::Erase(absl::string_view order) {
  // Looked for first: what is not there costs no copies.
  if (Find(order) == nullptr) return nullptr;
  RowRef before = EraseAt(&root_, order);
  --size_;
  bytes_ -= BytesOf(*before);
  return before;
}

// From the first row to the last.
class RowMap::Walk {
 public:
  explicit Walk(const RowMap& map) { Down(map.root_.get()); }
  // Null at the end.
  const RowRef* row() const {
    return path_.empty() ? nullptr : &path_.back()->row;
  }
  void Next() {
    const Node* const node = path_.back();
    path_.pop_back();
    Down(node->right.get());
  }

 private:
  void Down(const Node* node) {
    for (; node != nullptr; node = node->left.get()) path_.push_back(node);
  }
  std::vector<const Node*> path_;
};

void RowMap::ForEach(absl::FunctionRef<bool(const RowRef& row)> sink) const {
  for (Walk walk(*this); walk.row() != nullptr; walk.Next()) {
    if (!sink(*walk.row())) return;
  }
}

void RowMap::Diff(
    const RowMap& before, const RowMap& after,
    absl::FunctionRef<void(const RowRef& before, const RowRef& after)> sink) {
  Walk old_rows(before);
  Walk new_rows(after);
  while (old_rows.row() != nullptr || new_rows.row() != nullptr) {
    int order = 0;
    if (old_rows.row() == nullptr) {
      order = 1;
    } else if (new_rows.row() == nullptr) {
      order = -1;
    } else {
      order = (*old_rows.row())->order.compare((*new_rows.row())->order);
    }
    const RowRef old_row = order <= 0 ? *old_rows.row() : nullptr;
    const RowRef new_row = order >= 0 ? *new_rows.row() : nullptr;
    if (order <= 0) old_rows.Next();
    if (order >= 0) new_rows.Next();
    if (!SameRow(old_row, new_row)) sink(old_row, new_row);
  }
}

}  // namespace tidegate::client

// A FakeStore whose read views and pins can be counted and whose views can
// fail, for tests.
#ifndef TIDEGATE_GATEWAY_CORE_WATCHED_STORE_H_
#define TIDEGATE_GATEWAY_CORE_WATCHED_STORE_H_

#include <memory>
#include <utility>
#include <vector>

#include "gateway/core/fake_store.h"

namespace tidegate {

class BrokenIterator : public ViewIterator {
 public:
  void Seek(absl::string_view /*key*/) override {}
  bool Valid() const override { return false; }
  void Next() override {}
  absl::string_view key() const override { return ""; }
  const StoredEntry& entry() const override { return entry_; }
  absl::Status status() const override {
    return absl::DataLossError("block checksum mismatch");
  }

 private:
  StoredEntry entry_;
};

class BrokenView : public FakeReadView {
 public:
  using FakeReadView::FakeReadView;
  std::unique_ptr<ViewIterator> NewIterator(ViewId /*view*/,
                                            Which /*which*/) const override {
    return std::make_unique<BrokenIterator>();
  }
};

// Knows which of its views and pins are still held. BaseView by one thread at a
// time.
class WatchedStore : public FakeStore {
 public:
  std::shared_ptr<const ReadView> BaseView(
      ProcessingTime now, std::unique_ptr<LogPin>* pin) override {
    std::shared_ptr<const ReadView> view = FakeStore::BaseView(now, pin);
    if (broken) {
      view = std::make_shared<BrokenView>(view->seq(),
                                          std::make_shared<const ModelState>());
    }
    views_.push_back(view);
    auto counted = std::make_unique<CountedPin>();
    pins_.push_back(counted->alive);
    *pin = std::move(counted);
    return view;
  }
  int open_views() const {
    int open = 0;
    for (const auto& view : views_) open += view.expired() ? 0 : 1;
    return open;
  }
  int open_pins() const {
    int open = 0;
    for (const auto& pin : pins_) open += pin.expired() ? 0 : 1;
    return open;
  }
  int views() const { return static_cast<int>(views_.size()); }
  bool broken = false;

 private:
  struct CountedPin : LogPin {
    std::shared_ptr<int> alive = std::make_shared<int>();
  };

  std::vector<std::weak_ptr<const ReadView>> views_;
  std::vector<std::weak_ptr<int>> pins_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_WATCHED_STORE_H_

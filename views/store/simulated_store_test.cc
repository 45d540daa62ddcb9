#include "views/store/simulated_store.h"

#include "views/store/store_conformance.h"

namespace tidegate {
namespace {

class SimulatedWorld {
 public:
  Store* store() { return &store_; }
  void Reopen() { store_.Crash(CrashKind::kProcess, 0); }
  void CrashMachine() { store_.Crash(CrashKind::kMachine, 0); }

 private:
  SimulatedStore store_;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Simulated, StoreConformance, SimulatedWorld);

TEST(SimulatedStore, AMachineCrashKeepsAnyPrefixOfWhatWasNotSynced) {
  for (size_t kept = 0; kept <= 4; ++kept) {
    SimulatedStore store;
    TG_ASSERT_OK(store.AppendLog(Seq(1), "1"));
    TG_ASSERT_OK(store.SyncLog());
    for (uint64_t seq = 2; seq <= 4; ++seq) {
      TG_ASSERT_OK(store.AppendLog(Seq(seq), "x"));
    }
    EXPECT_EQ(store.unsynced_records(), 3u);
    store.Crash(CrashKind::kMachine, kept);
    EXPECT_EQ(LogOf(&store, Seq(0)).size(), 1 + std::min<size_t>(kept, 3));
    EXPECT_EQ(store.unsynced_records(), 0u);
  }
}

TEST(SimulatedStore, AMachineCrashUndoesATrimThatWasNotSynced) {
  SimulatedStore store;
  for (uint64_t seq = 1; seq <= 4; ++seq) {
    TG_ASSERT_OK(store.AppendLog(Seq(seq), "x"));
  }
  TG_ASSERT_OK(store.SyncLog());
  TG_ASSERT_OK(store.TrimLog(Seq(2)));
  EXPECT_EQ(store.FirstLogSeq().value(), Seq(3));
  store.Crash(CrashKind::kMachine, 0);
  EXPECT_EQ(store.FirstLogSeq().value(), Seq(1));
}

}  // namespace
}  // namespace tidegate

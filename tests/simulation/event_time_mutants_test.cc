// A simulation that cannot fail proves nothing: each of these mistakes, planted
// through a policy or in the plans that the product runs, is found by a seed.
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "tests/simulation/event_time_simulation.h"

namespace tidegate::simulation {
namespace {

constexpr uint64_t kMutantSeeds = 1000;

struct NamedMutant {
  const char* name;
  Mutant mutant;
};

Mutant Loop(const std::function<void(FoldLoopPolicy*)>& plant) {
  Mutant mutant;
  plant(&mutant.loop);
  return mutant;
}
Mutant EveryView(const std::function<void(ViewPlan*)>& plant) {
  Mutant mutant;
  mutant.alter = [plant](PlanSet* plans) {
    for (ViewPlan& view : plans->views) plant(&view);
  };
  return mutant;
}
Mutant EveryWindow(WindowKind kind,
                   const std::function<void(WindowPlan*)>& plant) {
  return EveryView([kind, plant](ViewPlan* view) {
    if (view->window && view->window->kind == kind) plant(&*view->window);
  });
}
Mutant EverySource(const std::function<void(SourcePlan*)>& plant) {
  Mutant mutant;
  mutant.alter = [plant](PlanSet* plans) {
    for (SourcePlan& source : plans->sources) plant(&source);
  };
  return mutant;
}

Mutant SkipsTheSync() {
  Mutant mutant;
  mutant.store.sync_log_before_checkpoint = false;
  return mutant;
}

std::vector<NamedMutant> LoopMutants() {
  using Policy = FoldLoopPolicy;
  return {
      {"the store skips its sync", SkipsTheSync()},
      {"what is read again folds again",
       Loop([](Policy* p) { p->fold_again = true; })},
      {"released at <= the watermark",
       Loop([](Policy* p) { p->release_inclusive = true; })},
      {"what was buffered is not read again",
       Loop([](Policy* p) { p->forget_replay_from = true; })},
      {"verdicts are taken again",
       Loop([](Policy* p) { p->decide_again = true; })},
      {"windows close before the release",
       Loop([](Policy* p) { p->advance_first = true; })},
      {"the watermark moves within a poll",
       Loop([](Policy* p) { p->advance_in_poll = true; })},
      {"commits before letters are acknowledged",
       Loop([](Policy* p) { p->commit_unacknowledged = true; })},
      {"the watermark is the greatest",
       Loop([](Policy* p) { p->watermark.take_greatest = true; })},
      {"idle by silence",
       Loop([](Policy* p) { p->watermark.idle_by_silence = true; })},
      {"new partitions do not hold it",
       Loop([](Policy* p) { p->watermark.ignore_new_partitions = true; })},
      {"the watermark moves back",
       Loop([](Policy* p) { p->watermark.may_move_back = true; })},
  };
}

std::vector<NamedMutant> SourceMutants() {
  return {
      {"the bound is 1 us longer",
       EverySource([](SourcePlan* s) { ++s->watermark->bound_us; })},
      {"idle 1 ms later",
       EverySource([](SourcePlan* s) { ++s->idle_timeout_ms; })},
      {"idle.advance is always on",
       EverySource([](SourcePlan* s) { s->idle_advance = true; })},
      {"the future is 1 ms further away",
       EverySource([](SourcePlan* s) { ++s->max_future_skew_ms; })},
  };
}

std::vector<NamedMutant> WindowMutants() {
  return {
      {"TUMBLE takes its end in",
       EveryWindow(WindowKind::kTumble, [](WindowPlan* w) { ++w->size_us; })},
      {"TUMBLE forgets its offset",
       EveryWindow(WindowKind::kTumble,
                   [](WindowPlan* w) { w->offset_us = 0; })},
      {"HOP ends 1 us early",
       EveryWindow(WindowKind::kHop, [](WindowPlan* w) { --w->size_us; })},
      {"HOP misses a window", EveryWindow(WindowKind::kHop,
                                          [](WindowPlan* w) {
                                            if (w->size_us > w->slide_us) {
                                              w->size_us -= w->slide_us;
                                            }
                                          })},
      {"SESSION joins at its end",
       EveryWindow(WindowKind::kSession, [](WindowPlan* w) { ++w->size_us; })},
      {"SLIDING keeps a pane too many",
       EveryWindow(WindowKind::kSliding,
                   [](WindowPlan* w) { w->size_us += w->slide_us; })},
      {"EMIT ON WINDOW CLOSE emits early",
       EveryView([](ViewPlan* v) { v->emit_on_close = false; })},
      {"allowed.lateness is ignored",
       EveryView([](ViewPlan* v) { v->allowed_lateness_us = 0; })},
      {"allowed.lateness is 1 us longer", EveryView([](ViewPlan* v) {
         if (v->allowed_lateness_us > 0) ++v->allowed_lateness_us;
       })},
      {"retention is 1 us longer", EveryView([](ViewPlan* v) {
         if (v->retention_us) ++*v->retention_us;
       })},
  };
}

std::vector<NamedMutant> OrderMutants() {
  return {
      {"last_value: the first of a tie", EveryView([](ViewPlan* v) {
         for (AggregateCall& call : v->aggregates) {
           if (call.kind == AggregateKind::kLastValue) {
             call.kind = AggregateKind::kMaxBy;
           }
         }
       })},
      {"lag looks one further back", EveryView([](ViewPlan* v) {
         for (LagCall& lag : v->lags) ++lag.distance;
       })},
      {"lag in the order of arrival", EveryView([](ViewPlan* v) {
         if (!v->lags.empty() && !v->join) v->ordered = false;
       })},
      {"LEFT JOIN drops what finds nothing", EveryView([](ViewPlan* v) {
         if (v->join) v->join->left = false;
       })},
      {"the join sees the table of now", EveryView([](ViewPlan* v) {
         if (v->join) v->join->event_time = false;
       })},
      {"the join folds on arrival", EveryView([](ViewPlan* v) {
         if (v->join && !v->window) v->ordered = false;
       })},
  };
}

// The first seed that notices; 0 if none does.
uint64_t Catch(const Mutant& mutant, std::string* how) {
  EventTimeCounts counts;
  for (uint64_t seed = 1; seed <= kMutantSeeds; ++seed) {
    const absl::Status status =
        EventTimeSimulation(seed, &mutant, &counts).Run();
    if (status.ok()) continue;
    *how = std::string(status.message());
    *how = how->substr(0, how->find('\n'));
    return seed;
  }
  return 0;
}

void ExpectAllCaught(const std::vector<NamedMutant>& mutants) {
  SetLogLevel(LogLevel::kError);
  for (const NamedMutant& named : mutants) {
    std::string how;
    const uint64_t seed = Catch(named.mutant, &how);
    EXPECT_NE(seed, 0u) << named.name << ": no seed notices it";
    std::printf("%-42s seed %4lu  %s\n", named.name,
                static_cast<unsigned long>(seed), how.substr(0, 100).c_str());
  }
}

TEST(EventTimeMutantsTest, OfTheLoopAreCaught) {
  ExpectAllCaught(LoopMutants());
}
TEST(EventTimeMutantsTest, OfSourcesAreCaught) {
  ExpectAllCaught(SourceMutants());
}
TEST(EventTimeMutantsTest, OfWindowsAreCaught) {
  ExpectAllCaught(WindowMutants());
}
TEST(EventTimeMutantsTest, OfOrderAreCaught) {
  ExpectAllCaught(OrderMutants());
}

}  // namespace
}  // namespace tidegate::simulation

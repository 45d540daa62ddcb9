#include "tests/simulation/store_simulation.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

constexpr uint64_t kMaxCrashes = 8;
constexpr int kActionsBetweenCrashes = 40;
constexpr size_t kMaxHeldViews = 3;
constexpr uint64_t kBuildActions = 20;  // as many of them, or so, in a build

// Compiled once: the same for every run.
struct Compiled {
  PlanSet plans;
  Catalog catalog;
};
const Compiled& Views() {
  static const Compiled* const kCompiled = [] {
    CompileResult result = CompileViews(kOrderViews);
    if (!result.ok()) {
      std::fputs(
          FormatDiagnostics("sql", kOrderViews, result.diagnostics).c_str(),
          stderr);
      std::abort();
    }
    auto* compiled = new Compiled();
    compiled->plans = std::move(result.plans);
    compiled->catalog = MakeCatalog(compiled->plans, "default", nullptr);
    return compiled;
  }();
  return *kCompiled;
}

}  // namespace

StoreSimulation::StoreSimulation(uint64_t seed, SimulatedMachine* machine,
                                 StorePolicy policy, SimulationCounts* counts)
    : seed_(seed),
      machine_(machine),
      policy_(policy),
      counts_(counts),
      random_(seed),
      topics_(&random_) {
  options_.checkpoint_bytes = 2000 + Random(20'000);
  options_.log_retention_bytes = 500 + Random(8000);
  options_.log_retention_ms = 200 + static_cast<int64_t>(Random(20'000));
  options_.tail_commits = 1 + Random(30);
  options_.build = Random(2) == 0;
}

StoreSimulation::~StoreSimulation() = default;

ProcessingTime StoreSimulation::Now() {
  now_ms_ += static_cast<int64_t>(Random(400));
  return ProcessingTime(now_ms_ * 1000);
}

absl::Status StoreSimulation::Run() {
  RETURN_IF_ERROR_CTX(Start(), "first start");
  const uint64_t crashes = 2 + Random(kMaxCrashes - 1);
  for (uint64_t i = 0; i < crashes; ++i) {
    ArmSomeStep();
    const std::string context =
        absl::StrCat("crash ", i, " ", CrashStepName(armed_));
    RETURN_IF_ERROR_CTX(Live(kActionsBetweenCrashes), context);
    RETURN_IF_ERROR_CTX(CrashNow(), context);
    RETURN_IF_ERROR_CTX(Start(), absl::StrCat("start after ", context));
  }
  while (true) {
    bool at_end = true;
    for (int p = 0; p < OrderTopics::kPartitions; ++p) {
      at_end &= next_[static_cast<size_t>(p)] == topics_.end(p);
    }
    if (at_end) break;
    RETURN_IF_ERROR_CTX(Act(), "towards the end");
  }
  RETURN_IF_ERROR_CTX(Commit(), "the last commit");
  RETURN_IF_ERROR_CTX(rows_->Checkpoint(Now()), "the last checkpoint");
  RETURN_IF_ERROR_CTX(CheckRows(), "the end");
  RETURN_IF_ERROR_CTX(CheckHeldViews(), "the end");
  return CheckTokens();
}

void StoreSimulation::ArmSomeStep() {
  armed_ = static_cast<CrashStep>(Random(kCrashSteps));
  if (armed_ == CrashStep::kInside && !machine_->ArmInside(&random_)) {
    armed_ = CrashStep::kBetween;
  }
  store_->Arm(armed_, 1 + Random(4));
}

absl::Status StoreSimulation::Start() {
  // A start may crash too: steps of the incarnation come only here.
  const bool crash_here =
      starts_ > 0 && (armed_ == CrashStep::kBetween || Random(3) == 0);
  for (bool again = crash_here;; again = false) {
    ASSIGN_OR_RETURN(Store * store, machine_->Open());
    store_ = std::make_unique<CrashableStore>(store);
    if (again) {
      constexpr CrashStep kSteps[] = {
          CrashStep::kBeforeSync, CrashStep::kAfterSync,
          CrashStep::kBeforeIncarnation, CrashStep::kAfterIncarnation};
      armed_ = kSteps[Random(4)];
      store_->Arm(armed_, 1);
    }
    absl::Status started = StartPipeline(store_.get());
    if (!again) {
      RETURN_IF_ERROR(started);
      return LearnAfterStart();
    }
    if (started.ok()) return absl::InternalError("a start did not crash");
    if (started.code() != absl::StatusCode::kUnavailable) return started;
    RETURN_IF_ERROR(CrashNow());
  }
}

absl::Status StoreSimulation::StartPipeline(Store* store) {
  std::string id = absl::StrCat(++starts_);
  id.resize(kIncarnationBytes, '.');
  ASSIGN_OR_RETURN(
      rows_, MaterializedStore::Open(store, options_, policy_, id, Now()));
  ASSIGN_OR_RETURN(pipeline_, Pipeline::Create(&Views().plans, &Views().catalog,
                                               rows_.get()));
  return absl::OkStatus();
}

// Takes the place where the store says it is, and checks that the rows are
// what the model has there.
absl::Status StoreSimulation::LearnAfterStart() {
  const Positions positions = rows_->positions();
  model_ = std::make_unique<OrderModel>(&topics_);
  for (int p = 0; p < OrderTopics::kPartitions; ++p) {
    const auto found = positions.partitions.find(OrderTopics::Name(p));
    int64_t& next = next_[static_cast<size_t>(p)];
    next = found == positions.partitions.end()
               ? 0
               : found->second.next_offset.value();
    for (int64_t offset = 0; offset < next; ++offset) {
      model_->Apply(p, offset);
    }
  }
  const uint64_t head = rows_->head().value();
  const uint64_t last = history_.empty() ? 0 : history_.rbegin()->first;
  if (last > head) counts_->lost_commits += last - head;
  history_.erase(history_.upper_bound(head), history_.end());
  if (head > last + 1) {
    return absl::InternalError(
        absl::StrCat("commits out of nowhere: ", head, " after ", last));
  }
  RETURN_IF_ERROR(CheckRows());
  if (history_.count(head) == 0) {
    // A commit that was appended, but not confirmed before the crash.
    ASSIGN_OR_RETURN(AllRows rows, ReadRows(*rows_->HeadView()));
    history_[head] = {next_id_++, std::move(rows)};
  }
  RETURN_IF_ERROR(CheckTokens());
  return CheckResume();
}

absl::Status StoreSimulation::Live(int actions) {
  if (armed_ == CrashStep::kBetween) {
    actions = static_cast<int>(Random(static_cast<uint64_t>(actions)));
  }
  for (int i = 0; i < actions && !crashed(); ++i) {
    absl::Status acted = Act();
    if (!acted.ok() && !crashed()) return acted;
  }
  return absl::OkStatus();
}

absl::Status StoreSimulation::Act() {
  if (rows_->building() && Random(kBuildActions) == 0) {
    ++counts_->builds_ended;
    return rows_->FinishBuild();
  }
  const uint64_t action = Random(12);
  if (action < 7) {
    RETURN_IF_ERROR(FoldSome());
    return Commit();
  }
  if (action < 8) return FoldSome();
  if (action < 10 || rows_->CheckpointDue(ProcessingTime(now_ms_ * 1000))) {
    const Seq trimmed = rows_->resumable_from();
    RETURN_IF_ERROR(rows_->Checkpoint(Now()));
    ++counts_->checkpoints;
    if (rows_->resumable_from() > trimmed) ++counts_->trims;
    return absl::OkStatus();
  }
  if (action < 11 && held_.size() < kMaxHeldViews) {
    std::unique_ptr<LogPin> pin;
    auto view =
        Random(2) == 0 ? rows_->HeadView() : rows_->BaseView(Now(), &pin);
    ASSIGN_OR_RETURN(AllRows rows, ReadRows(*view));
    held_.push_back({std::move(view), std::move(rows)});
    return absl::OkStatus();
  }
  return CheckResume();
}

absl::Status StoreSimulation::FoldSome() {
  const uint64_t count = 1 + Random(6);
  for (uint64_t i = 0; i < count; ++i) {
    const int p = static_cast<int>(Random(OrderTopics::kPartitions));
    if (next_[static_cast<size_t>(p)] < topics_.end(p)) {
      RETURN_IF_ERROR(FoldOne(p));
    }
  }
  return absl::OkStatus();
}

absl::Status StoreSimulation::FoldOne(int partition) {
  int64_t& next = next_[static_cast<size_t>(partition)];
  const bool is_driver = partition == OrderTopics::kDrivers;
  std::vector<Datum> columns;
  Event event;
  event.order.partition = OrderTopics::Name(partition).second;
  event.order.offset = Offset(next);
  if (is_driver) {
    const DriverEvent& driver = topics_.driver(next);
    columns = {Datum::Int(driver.driver_id),
               driver.deleted ? Datum::Null() : Datum::Text(driver.name)};
    event.deleted = driver.deleted;
  } else {
    const OrderEvent& order = topics_.order(partition, next);
    columns = {Datum::Text(order.order_id), Datum::Text(order.region),
               Datum::Int(order.amount), Datum::Int(order.ts)};
    event.order.time = EventTime(order.ts);
  }
  event.columns = columns;
  const std::vector<Pipeline::Input>& inputs = pipeline_->inputs();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string& source =
        Views().plans.sources[static_cast<size_t>(inputs[i].source)].name;
    if ((source == "drivers") != is_driver) continue;
    std::vector<Diverted> diverted;
    RETURN_IF_ERROR(pipeline_->Fold(static_cast<int>(i), event, &diverted));
    if (!diverted.empty()) return absl::InternalError(diverted.front().detail);
  }
  model_->Apply(partition, next);
  ++next;
  return absl::OkStatus();
}

absl::Status StoreSimulation::Commit() {
  Positions positions;
  for (int p = 0; p < OrderTopics::kPartitions; ++p) {
    const Offset next(next_[static_cast<size_t>(p)]);
    PartitionPosition& position = positions.partitions[OrderTopics::Name(p)];
    position.next_offset = position.replay_from = next;
  }
  ASSIGN_OR_RETURN(const auto commit,
                   pipeline_->CommitPending(Now(), 0, positions));
  if (commit == nullptr) return absl::OkStatus();
  ++counts_->commits;
  if (rows_->building()) ++counts_->build_commits;
  const auto view = rows_->HeadView();
  if (view->seq() != commit->seq()) {
    return absl::InternalError("the head is not the last commit");
  }
  ASSIGN_OR_RETURN(AllRows rows, ReadRows(*view));
  const uint64_t id = next_id_++;
  history_[commit->seq().value()] = {id, std::move(rows)};
  tokens_.push_back({rows_->incarnations().back().id, commit->seq(), id});
  return absl::OkStatus();
}

absl::Status StoreSimulation::CrashNow() {
  RETURN_IF_ERROR(CheckHeldViews());
  held_.clear();
  pipeline_.reset();
  rows_.reset();
  // An armed step that never came is a crash between steps.
  const CrashStep step =
      store_->dead() || machine_->stopped() ? armed_ : CrashStep::kBetween;
  store_.reset();
  const CrashKind kind =
      Random(2) == 0 ? CrashKind::kProcess : CrashKind::kMachine;
  CrashCounts& counts = kind == CrashKind::kProcess ? counts_->process_crashes
                                                    : counts_->machine_crashes;
  ++counts[static_cast<size_t>(step)];
  machine_->Crash(kind, &random_);
  return absl::OkStatus();
}

void PrintCounts(const SimulationCounts& counts) {
  std::printf("%-20s %10s %10s\n", "crashes", "process", "machine");
  for (size_t i = 0; i < kCrashSteps; ++i) {
    std::printf("%-20s %10llu %10llu\n",
                std::string(CrashStepName(static_cast<CrashStep>(i))).c_str(),
                static_cast<unsigned long long>(counts.process_crashes[i]),
                static_cast<unsigned long long>(counts.machine_crashes[i]));
  }
  std::puts(absl::StrCat(
                "commits=", counts.commits, " lost=", counts.lost_commits,
                " build_commits=", counts.build_commits, " builds_ended=",
                counts.builds_ended, " checkpoints=", counts.checkpoints,
                " trims=", counts.trims, " resumes=", counts.resumes,
                " tokens_honoured=", counts.tokens_honoured, " tokens_refused=",
                counts.tokens_refused, " held_views=", counts.held_views)
                .c_str());
}

absl::Status RunSeeds(
    uint64_t count, StorePolicy policy,
    const std::function<std::unique_ptr<SimulatedMachine>()>& make_machine,
    SimulationCounts* counts) {
  uint64_t first = 1;
  const char* const chosen = std::getenv("TIDEGATE_SEED");
  if (chosen != nullptr) {
    if (!absl::SimpleAtoi(chosen, &first)) {
      return absl::InvalidArgumentError("TIDEGATE_SEED is not a number");
    }
    count = first;
  }
  for (uint64_t seed = first; seed <= count; ++seed) {
    const std::unique_ptr<SimulatedMachine> machine = make_machine();
    StoreSimulation simulation(seed, machine.get(), policy, counts);
    RETURN_IF_ERROR_CTX(simulation.Run(), absl::StrCat("TIDEGATE_SEED=", seed));
  }
  return absl::OkStatus();
}

}  // namespace tidegate

#include "cmd/tidegate/pipeline_runner.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "cmd/tidegate/build_dir.h"
#include "cmd/tidegate/start_offsets.h"
#include "ingest/kafka/kafka_dead_letters.h"
#include "ingest/kafka/kafka_reader.h"
#include "views/pipeline/catalog.h"
#include "views/pipeline/pipeline.h"
#include "views/store/rocksdb_store.h"

namespace tidegate {
namespace {

constexpr char kCatalogMeta[] = "catalog";
constexpr char kStartOffsetsMeta[] = "start_offsets";
constexpr char kStoreIdMeta[] = "store_id";
constexpr int kCheckpointPollMs = 20;
constexpr int kStartRetryMs = 500;
constexpr int64_t kCheckpointRetryMs = 1'000;

std::string RandomBytes(size_t size) {
  std::random_device random;
  std::string bytes;
  while (bytes.size() < size) {
    const uint32_t word = random();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  bytes.resize(size);
  return bytes;
}

absl::StatusOr<std::optional<Catalog>> ReadCatalog(Store* store) {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                   store->GetMeta(kCatalogMeta));
  if (!bytes.has_value()) return std::optional<Catalog>();
  ASSIGN_OR_RETURN(Catalog catalog, DecodeCatalog(*bytes));
  return std::optional<Catalog>(std::move(catalog));
}

absl::Status WriteCatalog(const Catalog& catalog, Store* store) {
  std::string bytes;
  EncodeCatalog(catalog, &bytes);
  RETURN_IF_ERROR(
      store->PutMeta(kStoreIdMeta, absl::BytesToHexString(RandomBytes(8))));
  // Last: a store without a catalog counts for nothing.
  return store->PutMeta(kCatalogMeta, bytes);
}

class PipelineRunnerImpl : public PipelineRunner {
 public:
  explicit PipelineRunnerImpl(PipelineRunnerOptions options)
      : options_(std::move(options)) {}
  ~PipelineRunnerImpl() override { Stop(); }

  absl::Status Init();

  ServedPipeline* served() override { return served_.get(); }
  void Start() override;
  void BeginStop() override;
  void Stop() override;
  bool was_up() const override { return was_up_.load(); }
  bool failed() const override { return failed_.load(); }
  const FoldLoop& loop() const override { return *loop_; }

 private:
  absl::Status OpenStore();
  absl::Status OpenFirstBuild();
  absl::Status OpenCurrentBuild();
  absl::Status OpenRebuild();
  // What the build that is to be replaced knows.
  absl::Status ReadOldBuild();
  absl::Status MakeLoop();

  void RunFold();
  // Records where this build begins to read; Unavailable: try again.
  absl::Status NoteStartOffsets();
  bool SleepUnlessStopping(int wait_ms);

  void RunCheckpoints();
  void CheckpointIfDue();
  void RelayStatus();
  // Rebuilding: the fold loop reports to hidden_, clients see served_.
  void RelayWatermarks();
  void FinishRebuild();
  // What clients are told; a failure is the last word.
  void SetStatus(const absl::Status& status);
  void SetFailed(const absl::Status& status);

  bool rebuilding() const { return old_build_.has_value(); }

  const PipelineRunnerOptions options_;
  std::optional<BuildDirectory> directory_;
  uint64_t build_ = 1;
  // Rebuilding: what this build is to replace.
  std::optional<uint64_t> old_build_;
  std::optional<Catalog> old_catalog_;
  StartOffsets old_start_;

  // In the order they depend on each other.
  std::unique_ptr<Store> store_;
  Catalog catalog_;
  std::unique_ptr<MaterializedStore> materialized_;
  std::unique_ptr<ServedPipeline> served_;
  // Rebuilding: what the fold loop tells its status; clients see served_.
  std::unique_ptr<ServedPipeline> hidden_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<RecordReader> reader_;
  std::unique_ptr<DeadLetterWriter> dead_letters_;
  std::unique_ptr<SpillFiles> spill_;
  std::unique_ptr<FoldLoop> loop_;

  std::atomic<bool> was_up_{false};
  std::atomic<bool> failed_{false};
  std::atomic<bool> switched_{false};  // a rebuild has taken its place
  int64_t next_checkpoint_us_ = 0;     // the checkpoint thread's

  // Taken before the locks of served_ and of its listeners.
  Mutex status_mutex_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread fold_thread_;
  std::thread checkpoint_thread_;
};

absl::Status PipelineRunnerImpl::OpenFirstBuild() {
  // Without CURRENT nothing was ever served from here.
  RETURN_IF_ERROR(directory_->RemoveOthers(0));
  build_ = 1;
  ASSIGN_OR_RETURN(store_, OpenRocksDbStore(directory_->PathOf(build_), {}));
  catalog_ = MakeCatalog(*options_.plans, options_.name, nullptr);
  catalog_.build = build_;
  RETURN_IF_ERROR(WriteCatalog(catalog_, store_.get()));
  return directory_->SetCurrent(build_);
}

absl::Status PipelineRunnerImpl::OpenCurrentBuild() {
  ASSIGN_OR_RETURN(store_, OpenRocksDbStore(directory_->PathOf(build_), {}));
  ASSIGN_OR_RETURN(const std::optional<Catalog> stored,
                   ReadCatalog(store_.get()));
  if (!stored.has_value()) {
    return absl::DataLossError(
        absl::StrCat("the store has no catalog: ", directory_->PathOf(build_)));
  }
  RETURN_IF_ERROR(CheckUnchanged(
      *stored, MakeCatalog(*options_.plans, options_.name, &*stored)));
  catalog_ = *stored;
  return directory_->RemoveOthers(build_);
}

absl::Status PipelineRunnerImpl::ReadOldBuild() {
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> old,
                   OpenRocksDbStore(directory_->PathOf(*old_build_), {}));
  ASSIGN_OR_RETURN(old_catalog_, ReadCatalog(old.get()));
  ASSIGN_OR_RETURN(const std::optional<std::string> start,
                   old->GetMeta(kStartOffsetsMeta));
  if (start.has_value()) {
    ASSIGN_OR_RETURN(old_start_, DecodeStartOffsets(*start));
  }
  return absl::OkStatus();
}

absl::Status PipelineRunnerImpl::OpenRebuild() {
  old_build_ = build_;
  RETURN_IF_ERROR(ReadOldBuild());
  build_ = *old_build_ + 1;
  Catalog wanted = MakeCatalog(*options_.plans, options_.name,
                               old_catalog_ ? &*old_catalog_ : nullptr);
  wanted.build = build_;
  if (directory_->Exists(build_)) {
    // An earlier rebuild was interrupted: go on if it was for the same views.
    ASSIGN_OR_RETURN(store_, OpenRocksDbStore(directory_->PathOf(build_), {}));
    ASSIGN_OR_RETURN(const std::optional<Catalog> begun,
                     ReadCatalog(store_.get()));
    if (begun.has_value() && CheckUnchanged(*begun, wanted).ok()) {
      Log(LogLevel::kInfo, "a rebuild goes on",
          {{"pipeline", options_.name}, {"build", build_}});
      catalog_ = *begun;
      return absl::OkStatus();
    }
    store_.reset();
    RETURN_IF_ERROR(directory_->Remove(build_));
  }
  Log(LogLevel::kInfo, "a rebuild begins",
      {{"pipeline", options_.name}, {"build", build_}});
  ASSIGN_OR_RETURN(store_, OpenRocksDbStore(directory_->PathOf(build_), {}));
  catalog_ = std::move(wanted);
  return WriteCatalog(catalog_, store_.get());
}

absl::Status PipelineRunnerImpl::OpenStore() {
  ASSIGN_OR_RETURN(directory_,
                   BuildDirectory::Open(options_.data_dir, options_.name));
  ASSIGN_OR_RETURN(const std::optional<uint64_t> current,
                   directory_->Current());
  if (!current.has_value()) return OpenFirstBuild();
  build_ = *current;
  return options_.rebuild ? OpenRebuild() : OpenCurrentBuild();
}

absl::Status PipelineRunnerImpl::MakeLoop() {
  ASSIGN_OR_RETURN(const std::optional<std::string> store_id,
                   store_->GetMeta(kStoreIdMeta));
  KafkaReaderOptions reader;
  reader.properties = options_.kafka;
  reader.group_id = absl::StrCat("tidegate-", options_.name, "-",
                                 store_id.value_or("unknown"));
  for (const Pipeline::Input& input : pipeline_->inputs()) {
    reader.topics.push_back(options_.plans->sources[input.source].topic);
  }
  ASSIGN_OR_RETURN(reader_, MakeKafkaReader(std::move(reader)));
  ASSIGN_OR_RETURN(dead_letters_, MakeKafkaDeadLetterWriter(options_.kafka));
  ASSIGN_OR_RETURN(spill_, OpenSpillDirectory(directory_->SpillPath()));
  FoldLoop::Parts parts;
  parts.plans = options_.plans;
  parts.base_dir = options_.base_dir;
  parts.pipeline = pipeline_.get();
  parts.store = materialized_.get();
  parts.reader = reader_.get();
  parts.dead_letters = dead_letters_.get();
  parts.spill = spill_.get();
  parts.registries = options_.registries;
  parts.served = rebuilding() ? hidden_.get() : served_.get();
  parts.clock = options_.clock;
  ASSIGN_OR_RETURN(loop_, FoldLoop::Create(std::move(parts), options_.loop));
  return absl::OkStatus();
}

absl::Status PipelineRunnerImpl::Init() {
  RETURN_IF_ERROR(OpenStore());
  MaterializedStoreOptions store_options = options_.store;
  store_options.build = true;
  ASSIGN_OR_RETURN(materialized_,
                   MaterializedStore::Open(store_.get(), store_options, {},
                                           RandomBytes(kIncarnationBytes),
                                           options_.clock->Now()));
  served_ = std::make_unique<ServedPipeline>(options_.name, &catalog_,
                                             materialized_.get());
  served_->AddListener([this] {
    if (!was_up_.load(std::memory_order_relaxed) && served_->status().ok()) {
      was_up_.store(true);
    }
  });
  if (rebuilding()) {
    hidden_ = std::make_unique<ServedPipeline>(options_.name, &catalog_,
                                               materialized_.get());
    hidden_->AddListener([this] {
      if (switched_.load()) served_->NotifyCommitted();
    });
    served_->SetStatus(absl::UnavailableError("being rebuilt"));
  }
  ASSIGN_OR_RETURN(pipeline_, Pipeline::Create(options_.plans, &catalog_,
                                               materialized_.get()));
  return MakeLoop();
}

void PipelineRunnerImpl::Start() {
  fold_thread_ = std::thread([this] { RunFold(); });
  checkpoint_thread_ = std::thread([this] { RunCheckpoints(); });
}

bool PipelineRunnerImpl::SleepUnlessStopping(int wait_ms) {
  MutexLock lock(&mutex_);
  if (!stopping_) wake_.WaitFor(&mutex_, std::chrono::milliseconds(wait_ms));
  return !stopping_;
}

void PipelineRunnerImpl::SetStatus(const absl::Status& status) {
  MutexLock lock(&status_mutex_);
  if (!failed()) served_->SetStatus(status);
}

void PipelineRunnerImpl::SetFailed(const absl::Status& status) {
  MutexLock lock(&status_mutex_);
  served_->SetStatus(absl::FailedPreconditionError(status.message()));
  failed_.store(true);
}

absl::Status PipelineRunnerImpl::NoteStartOffsets() {
  ASSIGN_OR_RETURN(const std::optional<std::string> noted,
                   store_->GetMeta(kStartOffsetsMeta));
  StartOffsets start;
  if (noted.has_value()) {
    ASSIGN_OR_RETURN(start, DecodeStartOffsets(*noted));
  } else {
    int topic = 0;
    for (const Pipeline::Input& input : pipeline_->inputs()) {
      const std::string& name = options_.plans->sources[input.source].topic;
      auto bounds = reader_->Bounds(topic++);
      RETURN_IF_ERROR(bounds.status());
      for (const PartitionBounds& partition : *bounds) {
        start[{name, partition.partition}] = partition.low;
      }
    }
  }
  if (rebuilding() && !options_.loop.accept_truncated_history) {
    RETURN_IF_ERROR(CheckReachesBack(old_start_, start));
  }
  if (noted.has_value()) return absl::OkStatus();
  return store_->PutMeta(kStartOffsetsMeta, EncodeStartOffsets(start));
}

void PipelineRunnerImpl::RunFold() {
  absl::Status status = NoteStartOffsets();
  while (absl::IsUnavailable(status)) {
    SetStatus(absl::UnavailableError(
        absl::StrCat("waiting for the broker: ", status.message())));
    if (!SleepUnlessStopping(kStartRetryMs)) return;
    status = NoteStartOffsets();
  }
  if (status.ok()) {
    status = loop_->Run();  // logs why it stopped
  } else {
    Log(LogLevel::kError, "pipeline stopped",
        {{"pipeline", options_.name}, {"error", status.message()}});
  }
  if (!status.ok()) SetFailed(status);
}

void PipelineRunnerImpl::CheckpointIfDue() {
  const ProcessingTime now = options_.clock->Now();
  if (now.value() < next_checkpoint_us_ || !materialized_->CheckpointDue(now)) {
    return;
  }
  const absl::Status status = materialized_->Checkpoint(now);
  if (status.ok()) return;
  next_checkpoint_us_ = now.value() + kCheckpointRetryMs * 1000;
  Log(LogLevel::kError, "checkpoint failed, will be tried again",
      {{"pipeline", options_.name}, {"error", status.message()}});
}

void PipelineRunnerImpl::RelayStatus() {
  if (!rebuilding() || failed() || switched_.load()) return;
  if (loop_->CaughtUp()) {
    FinishRebuild();
    return;
  }
  const absl::Status hidden = hidden_->status();
  SetStatus(absl::UnavailableError(absl::StrCat(
      "being rebuilt: ",
      hidden.ok()
          ? absl::StrCat(loop_->stats().lag_records.load(), " records to go")
          : std::string(hidden.message()))));
}

void PipelineRunnerImpl::RelayWatermarks() {
  if (rebuilding()) served_->SetWatermarks(hidden_->watermarks());
}

void PipelineRunnerImpl::FinishRebuild() {
  Failpoint("rebuild.before_switch");
  const absl::Status status = directory_->SetCurrent(build_);
  if (!status.ok()) {
    Log(LogLevel::kError, "a rebuild cannot take its place",
        {{"pipeline", options_.name}, {"error", status.message()}});
    SetFailed(Annotate(status, "the rebuild cannot take its place"));
    loop_->Stop();
    return;
  }
  Failpoint("rebuild.after_switch");
  switched_.store(true);
  SetStatus(absl::OkStatus());
  Log(LogLevel::kInfo, "a rebuild has taken its place",
      {{"pipeline", options_.name}, {"build", build_}});
  const absl::Status removed = directory_->RemoveOthers(build_);
  if (!removed.ok()) {
    Log(LogLevel::kWarning, "the build before is still there",
        {{"pipeline", options_.name}, {"error", removed.message()}});
  }
}

void PipelineRunnerImpl::RunCheckpoints() {
  int64_t turn = 0;
  while (SleepUnlessStopping(kCheckpointPollMs)) {
    CheckpointIfDue();
    RelayWatermarks();
    // A status is for people: not at every turn.
    if (loop_->CaughtUp() || turn++ % 50 == 0) RelayStatus();
  }
}

void PipelineRunnerImpl::BeginStop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.SignalAll();
  }
  if (loop_ != nullptr) loop_->Stop();
}

void PipelineRunnerImpl::Stop() {
  BeginStop();
  if (!fold_thread_.joinable()) return;
  fold_thread_.join();
  checkpoint_thread_.join();
  const absl::Status status = materialized_->Checkpoint(options_.clock->Now());
  if (!status.ok()) {
    Log(LogLevel::kError, "last checkpoint failed; the log has everything",
        {{"pipeline", options_.name}, {"error", status.message()}});
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<PipelineRunner>> PipelineRunner::Open(
    PipelineRunnerOptions options) {
  const std::string context = absl::StrCat("pipeline=", options.name);
  auto runner = std::make_unique<PipelineRunnerImpl>(std::move(options));
  RETURN_IF_ERROR_CTX(runner->Init(), context);
  return runner;
}

}  // namespace tidegate

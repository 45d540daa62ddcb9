// The watermark as DESIGN §4 tells it, computed from what a reader was shown.
#ifndef TIDEGATE_TESTS_SIMULATION_EVENT_TIME_WATERMARK_MODEL_H_
#define TIDEGATE_TESTS_SIMULATION_EVENT_TIME_WATERMARK_MODEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "tests/simulation/event_time_world.h"

namespace tidegate::simulation {

// What a reader is shown of a partition in one turn.
struct Sight {
  int source = 0;
  int partition = 0;
  bool at_end = false;
  bool answering = false;
  bool wanted = true;  // false: its records were left alone
};

// Times are microseconds, nullopt is "none". Thread-compatible.
class WatermarkModel {
 public:
  explicit WatermarkModel(const SimWorld* world) : world_(*world) {}

  // A life of the process begins: what was seen by the last one, other than
  // event times, is forgotten.
  void Restart();
  // Reading begins, at an offset below what was read before if `replaying`.
  void Start(int source, int partition, bool replaying);
  // Everything that was read before has been read again.
  void CaughtUp(int source, int partition);
  // A record was handed over; then, if it counts, its event time.
  void Saw(int source, int partition);
  void Take(int source, int partition, int64_t time);
  // The end of a turn's reading: all partitions are looked at, and the
  // watermark may move to what is returned.
  std::optional<int64_t> Look(const std::vector<Sight>& sights, int64_t now_us);
  void Commit(std::optional<int64_t> watermark) { watermark_ = watermark; }

  std::optional<int64_t> watermark() const { return watermark_; }

 private:
  struct Partition {
    bool started = false;  // in this life
    bool replaying = false;
    bool saw = false;  // since the last look
    std::optional<int64_t> newest;
    std::optional<int64_t> quiet_since;
    bool idle = false;
  };
  const SimSource& Of(int source) const { return world_.sources[source]; }
  void LookAt(const Sight& sight, int64_t now_us);
  bool AllIdle() const;
  void Rest(int64_t now_us);
  std::optional<int64_t> AllIdleNext(int64_t now_us) const;
  std::optional<int64_t> LeastActive() const;

  const SimWorld& world_;
  std::map<std::pair<int, int>, Partition> partitions_;
  std::optional<int64_t> watermark_;
  // Since when all have been idle, and where the watermark moves on from: the
  // greatest of the partitions', where it would stand had the others become
  // idle a moment sooner.
  std::optional<std::pair<int64_t, std::optional<int64_t>>> rest_;
};

}  // namespace tidegate::simulation

#endif  // TIDEGATE_TESTS_SIMULATION_EVENT_TIME_WATERMARK_MODEL_H_

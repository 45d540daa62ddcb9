// A record on its way into a fold.
#ifndef TIDEGATE_VIEWS_FOLD_EVENT_H_
#define TIDEGATE_VIEWS_FOLD_EVENT_H_

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/ids.h"
#include "views/plan/datum.h"

namespace tidegate {

// Where an event stands in the order that every fold obeys: by event time,
// then partition, then offset. `time` is the WATERMARK column's value if the
// source declares one and it is not NULL, else the Kafka record's timestamp.
struct EventOrder {
  EventTime time = kNoEventTime;
  PartitionId partition;
  Offset offset;
  friend auto operator<=>(const EventOrder&, const EventOrder&) = default;
};

// Whom a record is for that `tidegate replay` sent back: views by name, and of
// each the starts of the windows it is for (none: all).
using ReplayTarget = std::map<std::string, std::vector<EventTime>, std::less<>>;

// A decoded record. `columns` has the source's columns (undecoded ones NULL);
// text borrows from the record. `deleted`: a table's tombstone, of which only
// the primary key columns are set.
struct Event {
  EventOrder order;
  Row columns;
  bool deleted = false;
  // The source has a WATERMARK column and it is NULL: `order.time` is the Kafka
  // record's timestamp.
  bool no_event_time = false;
  // Null: for every view. Else it folds into these alone, into closed windows
  // too as long as their rows are kept.
  const ReplayTarget* replay = nullptr;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_EVENT_H_

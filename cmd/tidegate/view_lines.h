// What `views` prints of a view: a JSON object a line, or a row of a table.
// Pure; the clock is the client's, so lags are off by as much as it is.
#ifndef TIDEGATE_CMD_TIDEGATE_VIEW_LINES_H_
#define TIDEGATE_CMD_TIDEGATE_VIEW_LINES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "base/ids.h"
#include "clients/cpp/view_client.h"

namespace tidegate {

// Partitions that a table names as holding a watermark back; more are counted.
inline constexpr size_t kMaxNamedHolders = 2;

// {"name":…,"watermark":"…"|null,"watermark_lag_ms":12400,"partitions":[
//   {"topic":"orders","partition":1,"watermark":"…"|null,"state":"active",
//    "holds_back":true,"lag_ms":12400}],…}, with the end of the line. Lags
// stand only beside a watermark.
std::string ViewLine(const client::ViewDescription& view, ProcessingTime now);

std::vector<std::string> ViewHeader();
std::vector<std::string> ViewCells(const client::ViewDescription& view,
                                   ProcessingTime now);

// What the watermark waits for: "orders/3 error; orders/1 active, 12.4 s
// behind"; "-" if it waits for nothing.
std::string HeldBackBy(const client::ViewDescription& view, ProcessingTime now);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_VIEW_LINES_H_

// Whether a row can still change: judged from the end of its window, of which
// one field is read out of the row's bytes, and a watermark. Pure.
#ifndef TIDEGATE_GATEWAY_CORE_FINALITY_H_
#define TIDEGATE_GATEWAY_CORE_FINALITY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "views/fold/row_codec.h"

namespace tidegate {

// Numbered as in proto/tidegate/v1/view_service.proto.
enum class Finality : uint8_t {
  kUnspecified = 0,  // the view has no windows
  kProvisional = 1,  // its window is open: end > watermark
  kFinal = 2,
  kCorrected = 3,  // amended after its window had closed
};

// Where a row says when its window ends.
struct WindowEnd {
  uint32_t field = 0;  // number in <View>Row; 0: the view has no windows
  int64_t add_us = 0;  // from that field's time to the end
};

// Of a view as the catalog describes it (CatalogView::window_column and
// window_add_us, whose TIMESTAMPTZ column is in `schema`).
WindowEnd WindowEndOf(const RowSchema& schema, int window_column,
                      int64_t window_add_us);

// Of a <View>Row as EncodeRow writes it, at `watermark` (kNoEventTime: there is
// none, every window is open). A row that does not say when its window ends is
// provisional.
Finality FinalityOf(const WindowEnd& window, absl::string_view row,
                    bool corrected, EventTime watermark);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_FINALITY_H_

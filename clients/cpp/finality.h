// Whether a row can still change, as the server says it.
#ifndef TIDEGATE_CLIENTS_CPP_FINALITY_H_
#define TIDEGATE_CLIENTS_CPP_FINALITY_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace tidegate::client {

// Numbered as tidegate.v1.Finality.
enum class Finality : uint8_t {
  kNone = 0,         // the view has no windows
  kProvisional = 1,  // its window was open; compare its end with the watermark
  kFinal = 2,
  kCorrected = 3,  // amended after its window had closed
};

// "provisional", "final", "corrected"; "" for kNone.
absl::string_view FinalityName(Finality finality);
// A number that this client does not know is kNone.
Finality FinalityOfNumber(int number);

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_FINALITY_H_

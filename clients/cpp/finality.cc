#include "clients/cpp/finality.h"

namespace tidegate::client {

absl::string_view FinalityName(Finality finality) {
  switch (finality) {
    case Finality::kNone:
      break;
    case Finality::kProvisional:
      return "provisional";
    case Finality::kFinal:
      return "final";
    case Finality::kCorrected:
      return "corrected";
  }
  return "";
}

Finality FinalityOfNumber(int number) {
  if (number < 0 || number > static_cast<int>(Finality::kCorrected)) {
    return Finality::kNone;
  }
  return static_cast<Finality>(number);
}

}  // namespace tidegate::client

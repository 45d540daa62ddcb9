// DOUBLE PRECISION as text.
#ifndef TIDEGATE_BASE_DOUBLE_TEXT_H_
#define TIDEGATE_BASE_DOUBLE_TEXT_H_

#include <string>

namespace tidegate {

// Appends the shortest text that reads back the same; without an exponent from
// 1e-4 up to 1e15. "NaN", "Infinity", "-Infinity".
void AppendDouble(std::string* out, double value);

}  // namespace tidegate

#endif  // TIDEGATE_BASE_DOUBLE_TEXT_H_

// Shows a person what differs between two canonical definitions.
#ifndef TIDEGATE_VIEWS_PIPELINE_DEFINITION_DIFF_H_
#define TIDEGATE_VIEWS_PIPELINE_DEFINITION_DIFF_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidegate {

// More lines than this are counted, not shown.
inline constexpr int kMaxDiffLines = 20;
// Definitions of more parts than this are not compared part by part.
inline constexpr int kMaxDiffParts = 1000;

// Splits canonical SQL into one line per part: at line ends, semicolons and
// commas that stand outside quotes; spaces around a part are removed.
std::vector<std::string> DefinitionParts(absl::string_view canonical);

// The parts only `before` has ("- …") and only `after` has ("+ …"), in order,
// each line indented by `indent` and ended by a newline; empty if the parts are
// the same.
std::string DiffDefinitions(absl::string_view before, absl::string_view after,
                            absl::string_view indent);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PIPELINE_DEFINITION_DIFF_H_

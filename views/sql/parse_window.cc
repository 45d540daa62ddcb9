// Windows in FROM, EMIT, and OVER.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "views/sql/parser.h"

namespace tidegate::sql {

std::optional<WindowKind> WindowKindOf(const Token& token) {
  if (token.IsWord("tumble")) return WindowKind::kTumble;
  if (token.IsWord("hop")) return WindowKind::kHop;
  if (token.IsWord("session")) return WindowKind::kSession;
  if (token.IsWord("sliding")) return WindowKind::kSliding;
  return std::nullopt;
}

// TUMBLE(source, ts, INTERVAL …, …); how many intervals there should be is the
// binder's.
bool Parser::ParseWindow(ViewDef* view) {
  WindowDef window;
  const Token& first = Take();
  window.kind = *WindowKindOf(first);
  std::string function = absl::AsciiStrToUpper(first.text);
  Take();  // the parenthesis
  if (AtSymbol("(") || AtWord("select")) {
    return RefuseYet(Peek().span, "subqueries");
  }
  if (AtWord("table") && !Peek(1).IsSymbol(",")) {
    return Refuse(Peek().span, absl::StrCat("TABLE in ", function),
                  absl::StrCat("write ", function, "(", Peek(1).text, ", …)"));
  }
  if (!ExpectName("a source name", &view->from)) return false;
  if (AtSymbol(".")) {
    view->from = Name{};
    return Refuse(Peek().span, "names with a schema",
                  absl::StrCat("write ", Peek(1).text));
  }
  if (!AtSymbol(",")) {
    return Fail("\",\"", absl::StrCat("write ", function, "(", view->from.text,
                                      ", ts, INTERVAL …), and then the alias"));
  }
  Take();
  if (!ParseWindowTime(function, &window)) return false;
  while (AcceptSymbol(",")) {
    IntervalArgument interval;
    const Token& start = Peek();
    if (!ExpectWord("interval") || !ParseInterval(&interval.micros)) {
      return false;
    }
    interval.span = SpanFrom(start);
    window.intervals.push_back(interval);
  }
  if (!AtSymbol(")")) return Fail("\",\" or \")\"");
  Take();
  window.span = SpanFrom(first);
  view->window = std::move(window);
  return true;
}

bool Parser::ParseWindowTime(absl::string_view function, WindowDef* window) {
  if (AtWord("descriptor") && Peek(1).IsSymbol("(")) {
    return Refuse(Peek().span, absl::StrCat("DESCRIPTOR in ", function),
                  absl::StrCat("write the column alone: ", Peek(2).text));
  }
  if (!ExpectName("the source's WATERMARK column", &window->time)) return false;
  if (AtSymbol(".")) {
    return Refuse(Peek().span, absl::StrCat("a qualified name in ", function),
                  absl::StrCat("write ", Peek(1).text));
  }
  return true;
}

bool Parser::ParseEmit(Statement* statement) {
  ViewDef& view = *statement->view;
  const size_t first_token = at_;
  const Token& first = Take();
  if (AtWord("changes") || AtWord("final")) {
    std::string what =
        absl::StrCat("EMIT ", absl::AsciiStrToUpper(Take().text));
    return Refuse(SpanFrom(first), what,
                  "there are EMIT ON UPDATE, the default, and EMIT ON WINDOW "
                  "CLOSE");
  }
  if (!ExpectWord("on")) return false;
  bool on_close = AtWord("window");
  if (on_close) {
    Take();
    if (!ExpectWord("close")) return false;
  } else if (!AcceptWord("update")) {
    return Fail("WINDOW CLOSE or UPDATE");
  }
  if (view.emit_span.has_value()) {
    reporter_->Error(SpanFrom(first), "second EMIT", "a view has one");
    return false;
  }
  view.emit_on_close = on_close;
  view.emit_span = SpanFrom(first);
  view.emit_first_token = first_token;
  view.emit_end_token = at_;
  return true;
}

// At OVER; `call` is what stands before it.
bool Parser::ParseOver(Node* call) {
  if (call->text != "lag") {
    bool moving = call->text == "count" || call->text == "sum" ||
                  call->text == "min" || call->text == "max" ||
                  call->text == "avg";
    return RefuseYet(call->name_span,
                     absl::StrCat("the window function ", call->text, "(…)"),
                     moving ? "a moving aggregate is written FROM "
                              "SLIDING(source, ts, INTERVAL …) … GROUP BY …"
                            : "there is lag(x) OVER (PARTITION BY … ORDER BY "
                              "ts)");
  }
  Take();
  if (!AtSymbol("(") && Peek().kind == TokenKind::kName) {
    return RefuseYet(Peek().span, "named windows",
                     "write OVER (PARTITION BY … ORDER BY ts)");
  }
  call->over = std::make_unique<Over>();
  return ExpectSymbol("(") && ParsePartitionBy(call) && ParseOverOrder(call);
}

bool Parser::ParsePartitionBy(Node* call) {
  if (!AtWord("partition")) {
    if (!AtWord("order")) {
      return Fail("PARTITION BY", "write OVER (PARTITION BY … ORDER BY ts)");
    }
    return RefuseYet(Peek().span, "lag without PARTITION BY",
                     "write OVER (PARTITION BY … ORDER BY ts)");
  }
  Take();
  if (!ExpectWord("by")) return false;
  do {
    NodePtr key = ParseExpression();
    if (key == nullptr) return false;
    call->height = std::max(call->height, key->height + 1);
    call->over->partition_by.push_back(std::move(key));
  } while (AcceptSymbol(","));
  return true;
}

bool Parser::ParseOverOrder(Node* call) {
  if (!AtWord("order")) {
    return Fail("ORDER BY", "write OVER (PARTITION BY … ORDER BY ts)");
  }
  Take();
  if (!ExpectWord("by")) return false;
  NodePtr order_by = ParseExpression();
  if (order_by == nullptr) return false;
  call->height = std::max(call->height, order_by->height + 1);
  call->over->order_by = std::move(order_by);
  if (AtWord("desc")) {
    return RefuseYet(Peek().span, "ORDER BY … DESC in OVER",
                     "lag looks back from the older to the newer: leave it "
                     "out");
  }
  AcceptWord("asc");
  if (AtSymbol(",")) {
    RefuseYet(Peek().span, "ORDER BY with several columns",
              "ties are broken by partition and offset");
    while (AcceptSymbol(",")) SkipItem();
    AcceptSymbol(")");
    return false;
  }
  if (AtWord("nulls")) return RefuseYet(Peek().span, "NULLS FIRST or LAST");
  for (absl::string_view frame : {"rows", "range", "groups"}) {
    if (!AtWord(frame)) continue;
    return RefuseYet(Peek().span,
                     absl::StrCat("the frame ", absl::AsciiStrToUpper(frame)),
                     "lag has none: leave it out");
  }
  return ExpectSymbol(")");
}

}  // namespace tidegate::sql

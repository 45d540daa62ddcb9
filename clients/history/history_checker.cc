// history_checker FILE… [--final SCANFILE]
//
// Checks recorded histories (`tidegate watch --format json`) against the
// invariants in checker.h, and against each other. With --final, every
// history's last state must equal the lines of `tidegate scan --format json`.
// Exits 0 without violations, 1 with, 2 on wrong usage or unreadable files.
#include <cstdio>
#include <deque>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "clients/history/checker.h"

namespace tidegate {
namespace {

constexpr char kUsage[] = "usage: history_checker FILE... [--final SCANFILE]\n";

int Fail(const std::string& message) {
  std::cerr << "history_checker: " << message << "\n" << kUsage;
  return 2;
}

// A process that was killed leaves its last line unfinished: that line is not
// part of the history.
bool ReadHistory(const std::string& path, Checker* checker) {
  std::ifstream in(path);
  if (!in) return false;
  std::string line;
  int number = 0;
  while (std::getline(in, line)) {
    ++number;
    if (in.eof()) break;
    checker->AddLine(line, number);
  }
  return true;
}

bool ReadRows(const std::string& path,
              std::map<std::string, std::string>* rows) {
  std::ifstream in(path);
  if (!in) return false;
  std::string line;
  while (std::getline(in, line)) {
    auto entry = ParseRowLine(line);
    if (!entry.ok()) return false;
    rows->insert(*std::move(entry));
  }
  return true;
}

int Main(const std::vector<std::string>& args) {
  std::vector<std::string> files;
  std::string final_file;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--final") {
      if (++i == args.size()) return Fail("--final needs a file");
      final_file = args[i];
    } else if (args[i] == "--help" || args[i] == "-h") {
      std::cout << kUsage;
      return 0;
    } else if (args[i].substr(0, 1) == "-") {
      return Fail("unknown flag " + args[i]);
    } else {
      files.push_back(args[i]);
    }
  }
  if (files.empty()) return Fail("no history given");
  std::map<std::string, std::string> rows;
  if (!final_file.empty() && !ReadRows(final_file, &rows)) {
    return Fail("cannot read rows from " + final_file);
  }
  StateBook book;
  CheckerCounts sum;
  for (const std::string& file : files) {
    Checker checker(file, &book);
    if (!ReadHistory(file, &checker)) return Fail("cannot read " + file);
    if (!final_file.empty()) checker.CompareFinal(rows);
    for (const std::string& text : checker.violations()) {
      std::cout << text << "\n";
    }
    sum.deltas += checker.counts().deltas;
    sum.resumes += checker.counts().resumes;
    sum.resets += checker.counts().resets;
    sum.snapshots += checker.counts().snapshots;
    sum.violations += checker.counts().violations;
  }
  std::cout << "deltas=" << sum.deltas << " resumes=" << sum.resumes
            << " resets=" << sum.resets << " snapshots=" << sum.snapshots
            << " violations=" << sum.violations << std::endl;
  return sum.violations == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tidegate

int main(int argc, char** argv) {
  return tidegate::Main(std::vector<std::string>(argv + 1, argv + argc));
}

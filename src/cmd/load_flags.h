// The flags of `stampede load`, and the plan that they make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cmd/flags.h"
#include "load/expectation.h"
#include "load/plan.h"

namespace stampede::cmd {

struct LoadFlags {
  std::string url = "http://127.0.0.1:8080";
  std::string admin = "http://127.0.0.1:8081";
  std::string db = "sqlite:./stampede-data/orders.db";
  std::string auth = "header";
  std::string key_file;
  std::string json, series, hdr, acknowledged;
  std::vector<std::string> items{"ticket"}, quantities{"1"};
  std::vector<std::string> ramps;
  std::string at;
  double duration_s = 0, warmup_s = 0, timeout_s = 30, patience_s = 30;
  std::vector<std::string> expect;
  std::vector<load::Expectation> expectations;  // the flags' values, parsed
  bool verifies = false;
  bool shows_progress = false;
  std::optional<uint64_t> seed;
  load::Plan plan{.rate = 10'000};
};

// Their table, whose targets are in `flags`.
void add_load_flags(Command& command, LoadFlags& flags);

// Fills the plan and the expectations from the flags. The error names the flag.
[[nodiscard]] Status complete(LoadFlags& flags);

}  // namespace stampede::cmd

// The flags of `stampede serve`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bounds.h"
#include "cmd/flags.h"
#include "cmd/inputs.h"
#include "order.h"

namespace stampede::cmd {

struct ServeFlags {
  ConfigFile config;
  bool checks = false;  // and does not sell
  std::string catalog, data = "./stampede-data", listen = "127.0.0.1:8080",
                       admin = "127.0.0.1:8081";
  bool trust_gateway = false, accept_loss = false, sandbox = false, core_dumps = false;
  std::vector<std::string> admin_hosts, origins;
  InputPaths inputs;
  std::string demo, ledger = "embedded", db, durability = "fsync", auth;
  std::string cpus;
  int64_t ledger_timeout_ms = 1'000;
  uint32_t shards = 0, node = 0, connections = 0, connections_address = 0, open_per_user = 0;
  std::string rate_address = "0", address_header, rate_user = "0", order_rate = "0";
  std::string log_level = "info", log_format = "text", access_log;
  uint32_t access_sample = 1, slow_turn_us = 100'000;
  double retain_hours = 24, bloom_rate = 0;
  Units lease_max = 256;
  size_t segment_bytes = bounds::segment_bytes_default;
  uint64_t orders_max = 4'000'000, drain_lag_max = 20'000'000;
};

// Their table, whose targets are in `flags`.
void add_serve_flags(Command& command, ServeFlags& flags);

}  // namespace stampede::cmd

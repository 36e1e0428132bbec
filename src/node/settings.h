// What a server is started with.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cluster/redis_url.h"
#include "door/rules.h"
#include "drain/database.h"
#include "http/origins.h"
#include "http/own_hosts.h"
#include "net/address.h"
#include "net/passed_sockets.h"
#include "orderlog/disk.h"
#include "shard/shard.h"
#include "stock/catalog_json.h"

namespace stampede::node {

struct NodeSettings {
  std::string data_dir;
  std::vector<stock::CatalogEntry> catalog;
  std::string catalog_file;       // for messages; empty: it is no file's
  std::string catalog_dir = ".";  // what names of files in it count from
  double bloom_rate = 0;          // of the filter over codes; 0: none
  net::Address listen, admin;
  net::PassedSockets passed;        // opened there by somebody else
  bool will_be_passed = false;      // of a check: a start would get its listeners passed
  http::Origins origins;            // of pages that may read public answers
  door::SharedOperators operators;  // null: whoever reaches the listener
  door::SharedBlockList blocked;    // of the file; null: there is none
  http::OwnHosts admin_hosts;
  uint32_t connections_max = 0;  // that descriptors permit, beside those kept for operators
  uint32_t shard_count = 1;
  std::vector<int> cpus;  // shard i runs on cpus[i mod size]
  uint32_t node = 0;
  drain::DatabaseUrl database;
  std::string database_text;               // without a password
  std::optional<cluster::RedisUrl> redis;  // none: the embedded ledger
  int64_t ledger_timeout_ms = 1'000;
  orderlog::Durability durability = orderlog::Durability::fsync;
  bool by_ticket = false;
  int64_t retain_ms = 0;
  Units lease_max = 256;
  size_t segment_bytes = bounds::segment_bytes_default;
  uint64_t orders_max = 0;  // of the node
  uint64_t drain_lag_max = 0;
  bool accepts_loss = false;
  door::Rules rules;  // until operators change them
  shard::SharedKeys keys;
  std::string access_log;             // its file; empty: none
  uint32_t access_sample = 1;         // a line of every so many requests
  int64_t slow_turn_ns = 0;           // a shard's turn with more work is told; 0: none is
  std::string version;                // of this build, for the operators
  std::function<void()> wake_reader;  // an operator asks for what SIGHUP does
};

}  // namespace stampede::node

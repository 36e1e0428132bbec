#include "shared_sale.h"

namespace stampede::soak {

using e2e::milliseconds;

namespace {

using Flags = std::vector<std::pair<std::string, std::string>>;

Flags with_defaults(const Flags& more) {
  Flags all{{"--orders-max", "50000"}, {"--lease-max", "8"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace

SharedSale::SharedSale(Report& report, Dice& dice, Flags more)
    : report_(report),
      dice_(dice),
      total_(dice.between(200, 3000)),
      cluster_({.nodes = static_cast<size_t>(dice.between(1, 2)),
                .catalog = catalog_of(total_),
                .flags = with_defaults(more)}),
      sale_(report, dice, total_, nodes()) {}

std::vector<e2e::Server*> SharedSale::nodes() {
  std::vector<e2e::Server*> all;
  for (const size_t index : cluster_.all()) all.push_back(&cluster_.node(index));
  return all;
}

void SharedSale::load(int64_t answers_max, int64_t ms_max) {
  sale_.await_answers(static_cast<size_t>(dice_.between(0, answers_max)),
                      milliseconds{dice_.between(1, ms_max)});
}

void SharedSale::sleep(int64_t ms_max) {
  std::this_thread::sleep_for(milliseconds{dice_.between(0, ms_max)});
}

void SharedSale::kill_and_start(e2e::Server& node) {
  node.kill9();
  sleep(30);
  start(report_, node);
}

void SharedSale::round() {
  sale_.open();
  load(200, 40);
  make_trouble();
  load(200, 40);
  sale_.rest();
  cluster_.await_open();
  sale_.check();
}

void SharedSale::close() {
  sale_.close([this](const std::string& sql) { return rows(sql); });
  e2e::Arguments arguments{"--ledger", "redis://127.0.0.1:" + std::to_string(redis_port()) + "/0",
                           "--db", database_url()};
  for (e2e::Server* const node : nodes())
    arguments.insert(arguments.end(), {"--data", node->data()});
  audit(report_, arguments);
}

}  // namespace stampede::soak

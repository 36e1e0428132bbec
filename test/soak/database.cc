// PostgreSQL killed, stopped, cut off and failed over to a standby, alone and together with Redis and with nodes that share it.
// The standby is synchronous in effect, as nodes that share a sale need it: it has all that the nodes have heard of.
#include "../servers/await.h"
#include "shared_sale.h"

namespace stampede::soak {
namespace {

using servers::Data;
using servers::PostgresClient;
using servers::PostgresServer;
using servers::Relay;

// The database and the nodes' way to it, which follows to the standby.
struct Place {
  std::string url() const { return server->url_through(relay.port(), name); }

  PostgresServer* server = &PostgresServer::shared();
  const std::string name = server->create_database();
  Relay relay{server->port()};
  std::unique_ptr<PostgresServer> standby;
};

class Database final : private Place, public SharedSale {
 public:
  Database(Report& report, Dice& dice) : SharedSale(report, dice, {{"--db", url()}}) {}

 private:
  void make_trouble() override {
    switch (dice_.between(1, standby == nullptr ? 16 : 15)) {
      case 1 ... 4:
        return server->restart();
      case 5 ... 7:
        return pause();
      case 8 ... 9:
        return relay.cut();
      case 10 ... 13:
        return kill_with_node();
      case 14 ... 15:
        return kill_with_redis();
      case 16:
        return fail_over();
    }
  }

  void pause() {
    server->pause();
    load(100, 500);
    server->resume();
  }
  // Either may be back first.
  void kill_with_node() {
    e2e::Server& node = any_node();
    server->kill();
    load(100, 30);
    node.kill9();
    if (dice_.one_in(2)) server->begin_start();
    start(report_, node);
    await_postgres();
  }
  void await_postgres() {
    if (!server->is_running()) return server->restart();
    const bool answers =
        servers::await([this] { return PQping(server->url("postgres").c_str()) == PQPING_OK; });
    if (!answers) throw Broken("PostgreSQL does not start");
  }
  void kill_with_redis() {
    server->kill();
    cluster_.redis().kill();
    load(50, 100);
    if (dice_.one_in(2)) server->restart();
    cluster_.redis().restart(Data::wiped);
    if (!server->is_running()) server->restart();
  }
  // No commit is answered any more when the standby is held against the primary.
  void fail_over() {
    standby = std::make_unique<PostgresServer>(*server);
    load(200, 60);
    relay.pause();
    standby->await_in_sync(*server);
    server->kill();
    standby->promote();
    server = standby.get();
    relay.redirect(server->port());
    relay.cut();
    relay.resume();
  }

  Rows rows(const std::string& sql) override {
    return PostgresClient(server->socket_url(name)).rows(sql);
  }
  std::string database_url() override { return url(); }
};

}  // namespace

std::unique_ptr<Scenario> make_database(Report& report, Dice& dice) {
  return std::make_unique<Database>(report, dice);
}

}  // namespace stampede::soak

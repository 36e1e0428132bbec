// A world of simulated Redis servers, and the network between them and the nodes: everything that may go wrong with a ledger's
// Redis, in simulated time and under a seed. The servers run the real scripts (redis_scripts.h).
//
//   RedisWorld world(seed, clock);
//   const uint32_t first = world.add_master(), second = world.add_replica(first);
//   auto redis = world.make_access(3);          of one process of node 3: hand it to the node as its cluster::RedisAccess
//   loop: the clock goes on to the next of the scheduler's own moments and next_due_ns(); deliver(); the nodes take their steps
//
// What a link sends arrives, runs and is answered at moments of the clock, in the order in which it was sent; deliver() makes what
// is due happen, and on_delivery says whose shard has something. A blocking call happens at one moment of the clock: what it would
// have waited is for the scheduler to take into account (take_waited_ns).
//
// Which server is the master of a group is what a node is told (appoint), as the sentinels or a cluster would tell it. Two nodes that
// are told two masters: split brain. The URL only says how many groups there are.
//
// Replicas get what changed a piece of time later, in order; promoted, they lack what has not arrived. A server has one database.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cluster/redis_access.h"
#include "random.h"
#include "redis_scripts.h"
#include "redis_store.h"

namespace stampede::sim {

// Of each message, drawn anew. Chances are in 1,000.
struct RedisWeather {
  int64_t delay_min_ns = 50'000, delay_max_ns = 400'000;        // one way
  int64_t lag_min_ns = 100'000, lag_max_ns = 2 * kMillisecond;  // of replicas
  // Behind a lost message of a link nothing arrives on that connection any more. A blocking call ends without an answer.
  uint32_t request_lost = 0, reply_lost = 0;
  uint32_t request_late = 0;  // by up to late_max_ns; whoever has given up meanwhile is not asked
  int64_t late_max_ns = 3 * kSecond;
  uint32_t connection_ended = 0;  // before the request has run, or after
  uint32_t slot_refused = 0;      // MOVED: about this group alone, and nothing has run
};

class NodeRedis;
class SimulatedLink;

class RedisWorld {
 public:
  enum class Contents : uint8_t { none, as_left, old_copy };
  static constexpr uint32_t kEverybody = UINT32_MAX, kNobody = UINT32_MAX;

  // The clock outlives this.
  RedisWorld(uint64_t seed, Clock& clock);
  ~RedisWorld();
  RedisWorld(const RedisWorld&) = delete;

  // ---- servers, by number; the first one is appointed for all
  uint32_t add_master();
  uint32_t add_replica(uint32_t master);
  [[nodiscard]] size_t server_count() const { return servers_.size(); }
  [[nodiscard]] bool is_running(uint32_t server) const { return servers_[server]->is_running; }
  [[nodiscard]] bool is_master(uint32_t server) const { return servers_[server]->is_master; }
  [[nodiscard]] RedisStore& store(uint32_t server) { return servers_[server]->store; }
  [[nodiscard]] ScriptEngine& engine() { return engine_; }

  // Its connections end; replicas lose what was on its way to them.
  void kill(uint32_t server);
  // With a new identity. Running replicas take over what it has.
  void restart(uint32_t server, Contents contents);
  // It accepts and answers nothing. What arrived runs when it goes on, also what nobody waits for any more.
  void pause(uint32_t server);
  void resume(uint32_t server);
  // Taken now; restart(old_copy) brings it back.
  void save_copy(uint32_t server);
  void empty(uint32_t server);  // FLUSHALL: the identity stays
  // A master with a new identity and what it has by now. Whoever was its master goes on as one. A master stays what it is.
  void promote(uint32_t server);
  // A replica with what the master has; its own data and connections end.
  void follow(uint32_t server, uint32_t master);
  // The error of each command that writes ("READONLY …", "OOM …", "NOREPLICAS …"); empty: none is refused.
  void refuse_writes(uint32_t server, std::string error);
  // Every script is refused ("LOADING …"); empty: none.
  void refuse_scripts(uint32_t server, std::string error);
  // Runs a script there, now: what a test or a checker asks, without a network.
  Reply run(uint32_t server, cluster::Script script, uint32_t group, const Words& arguments);

  // ---- who is told what
  // `group` and `node` may be kEverybody, `server` kNobody: then nobody can say.
  void appoint(uint32_t server, uint32_t group = kEverybody, uint32_t node = kEverybody);
  [[nodiscard]] uint32_t appointed(uint32_t node, uint32_t group) const;

  // ---- the network
  RedisWeather weather;
  // Between a node and a server nothing arrives, in either direction; what is on its way is lost.
  void set_reachable(uint32_t node, uint32_t server, bool is_reachable);

  // ---- time
  [[nodiscard]] int64_t next_due_ns() const;  // INT64_MAX: never
  void deliver();
  // A link of the node got an answer, came up or went down: the shard on whose net it is has something to do.
  std::function<void(uint32_t node, net::Net& net)> on_delivery;
  // After each script: for traces and checkers.
  std::function<void(uint32_t server, cluster::Script script, uint32_t group,
                     std::span<const std::string> arguments, const Reply& reply)>
      on_run;

  // ---- nodes
  // Of one process of the node; outlives what it makes, and this outlives it.
  [[nodiscard]] std::unique_ptr<NodeRedis> make_access(uint32_t node);

 private:
  friend class NodeRedis;
  friend class SimulatedCaller;
  friend class SimulatedLink;

  // One connection of a link. It lives on while something of it is on its way.
  struct Wire {
    SimulatedLink* link = nullptr;  // null: closed at the node's end
    uint32_t node = 0, server = 0;
    uint64_t life = 0;  // of the server: another one knows nothing of the connection
    int64_t last_request_ns = 0, last_reply_ns = 0;
    bool is_silent = false;         // a request was lost
    bool has_silent_reply = false;  // a reply was
  };
  struct Request {
    std::shared_ptr<Wire> wire;  // null: of a blocking call that was given up
    cluster::Script script = cluster::Script::check;
    uint32_t group = 0;
    uint64_t number = 0;
    Words arguments;
    bool loses_reply = false, ends_connection = false;
  };
  struct Server {
    RedisStore store, copy;
    std::string identity;
    bool is_running = true, is_paused = false, is_master = true;
    uint32_t master = 0;  // of a replica
    uint64_t life = 1;
    uint64_t stream = 0;  // of replication: what is on its way belongs to it, or is void
    int64_t last_effect_ns = 0;
    std::string refused_writes, refused_scripts;
    std::vector<std::function<void()>> held;  // while paused
  };
  struct Event {
    int64_t due_ns;
    uint64_t number;  // those of one moment in the order in which they were made
    std::shared_ptr<std::function<void()>> happen;
    friend bool operator>(const Event& a, const Event& b) {
      return std::tie(a.due_ns, a.number) > std::tie(b.due_ns, b.number);
    }
  };

  int64_t now_ns() { return clock_.now().boot_ns; }
  bool has_luck(uint32_t of_thousand) { return random_.below(1'000) < of_thousand; }
  int64_t between(int64_t least, int64_t most);
  int64_t delay_ns() { return between(weather.delay_min_ns, weather.delay_max_ns); }
  std::string new_identity();
  void at(int64_t due_ns, std::function<void()> happen);

  [[nodiscard]] bool is_reachable(uint32_t node, uint32_t server) const;
  [[nodiscard]] cluster::RedisServer address_of(uint32_t server) const;
  [[nodiscard]] uint32_t server_at(const cluster::RedisServer& address) const;
  [[nodiscard]] std::string info_of(const Server& server) const;
  void end_connections(uint32_t server);
  void replicate(uint32_t master, std::vector<Words> effects);
  void copy_to_replicas(uint32_t master);

  void open_wire(const std::shared_ptr<Wire>& wire);
  void greet(const std::shared_ptr<Wire>& wire);
  void send(Request request);
  void arrive(const Request& request);
  void reply(const Request& request, Reply reply);
  void end(const std::shared_ptr<Wire>& wire, const std::string& why);

  Clock& clock_;
  Random random_;
  uint64_t order_seed_;
  ScriptEngine engine_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<std::weak_ptr<Wire>> wires_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> appointed_;  // by node and group
  std::set<std::pair<uint32_t, uint32_t>> unreachable_;          // node and server
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  uint64_t events_made_ = 0;
};

// What one process of a node has of Redis.
class NodeRedis final : public cluster::RedisAccess {
 public:
  NodeRedis(RedisWorld& world, uint32_t node) : world_(world), node_(node) {}

  // The process was killed or its machine lost its power: nothing that it still does reaches anybody, and it hears nothing.
  void cut_off() { is_cut_off_ = true; }
  // How long its blocking calls have waited since this was last asked.
  [[nodiscard]] int64_t take_waited_ns() { return std::exchange(waited_ns_, 0); }
  // Before each blocking call: others may take their steps between two calls of one step. Not called within itself.
  std::function<void()> before_call;

  std::unique_ptr<cluster::ScriptCaller> make_caller(const cluster::RedisUrl& url,
                                                     int64_t timeout_ms) override;
  std::unique_ptr<cluster::ScriptLink> make_link(net::Net& net, uint64_t token,
                                                 cluster::ScriptLink::Owner& owner) override;

 private:
  friend class RedisWorld;
  friend class SimulatedCaller;
  friend class SimulatedLink;

  void let_others();

  RedisWorld& world_;
  const uint32_t node_;
  bool is_cut_off_ = false, is_letting_others_ = false;
  int64_t waited_ns_ = 0;
};

}  // namespace stampede::sim

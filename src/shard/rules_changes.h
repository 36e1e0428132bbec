// Operators' changes of what the door goes by: the levers, who is blocked, and what is read again from files.
//
//   levers, blocks   record ─▶ durable ─▶ published ─▶ every shard goes by it ─▶ answer
//   reload           published ─▶ record ─▶ durable, and every shard goes by it ─▶ answer
//
// A change takes effect on all shards by one value (door/rules.h), which only this class publishes while the shards run, and
// the operator hears of success when each shard has taken it: the next request anywhere is judged by it. What was read again
// does not wait for the disk, for a key that leaked must go even while the disk is full. Belongs to shard 0's thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "shard/admin_routes.h"
#include "shard/change_host.h"
#include "shard/levers.h"
#include "shard/process.h"
#include "stock/stream_state.h"

namespace stampede::shard {

class RulesChanges {
 public:
  // The references outlive this. `state` is shard 0's. What the process goes by now is what its start was told.
  RulesChanges(ChangeHost& host, const stock::StreamState& state, Process& process);

  void set_limits(const Operator& by, std::string_view body, Moment now);
  void block(const Operator& by, const BlockSubject& subject, Moment now);
  // Lifts an operator's block, or exempts from the file's.
  void unblock(const Operator& by, const BlockSubject& subject, Moment now);
  void reload(const Operator& by);

  Levers levers() const;  // what the shards have been told last
  // What operators have said, a page of it: behind `after`, users in front of networks.
  std::string blocked_page(const BlockSubject& after) const;
  std::string blocked_json(const BlockSubject& subject) const;

  // Goes on with everything that can go on. Once per turn, behind the write of the log.
  void turn(Moment now);
  bool has_some() const { return !changes_.empty() || !reloads_.empty(); }
  // Something waits for room and not for an event that wakes the shard.
  bool wants_turn() const { return wants_turn_; }

 private:
  struct Change {
    Lsn lsn = 0;  // of its last record; 0: it has none yet
    bool is_published = false, is_done = false;
    uint64_t rules_number = 0;                 // when it is published
    std::function<void(door::Rules&)> change;  // of the rules; may be empty
    std::optional<Levers> levers;
    std::shared_ptr<const Reload> reload;  // what was read again
    std::string who, what;                 // of the record that it does not have yet
    TextAnswer answer;
    std::vector<ReplyTo> places;
  };
  struct AskedReload {
    ReplyTo place;
    std::string who;
    uint64_t number = 0;
  };

  bool admit(ReplyTo place);
  Change& begin(const Operator& by);
  void record(Change& change, std::string_view what, Moment now);
  void say(const Operator& by, const BlockSubject& subject, orderlog::BlockWord word, Moment now);
  orderlog::BlockWord word_on(const BlockSubject& subject) const;
  bool is_in_file(const BlockSubject& subject) const;
  bool is_in_blocked_network(const BlockSubject& subject) const;
  Levers newest_levers() const;
  void take_reload();
  std::string reload_json(const Reload& taken) const;
  void take_levers(const std::function<void(Levers&)>& change_levers, door::Rules& next,
                   Change& change);
  void publish_durable();
  void advance(Change& change, Moment now);

  ChangeHost& host_;
  const stock::StreamState& state_;
  Process& process_;
  const door::OrderRate order_rate_flag_;
  std::vector<Change> changes_;
  std::vector<AskedReload> reloads_;
  bool wants_turn_ = false;
};

// The words of operators as a list that shards look into.
[[nodiscard]] door::SharedBlockList block_list_of(const stock::StreamState::BlockWords& words);

}  // namespace stampede::shard

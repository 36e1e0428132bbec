// Data directories that sold something, were stopped cleanly, and are kept as templates for damage: with a copy of what
// each was before its last life, and all that its buyers were answered.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../harness/rush.h"
#include "../harness/server.h"

namespace stampede::e2e {

struct Sold {
  std::string name;
  ServerOptions options;        // of the next start
  std::string data, older;      // directories; `older` is the copy
  std::vector<Outcome> orders;  // acknowledged, and not lost by an accepted loss
  std::set<std::string> ids;    // every id ever given, lost ones too
  bool has_database = true;
  bool has_lost = false;           // then `stampede audit` names what was lost
  std::shared_ptr<Server> keeper;  // owns the directories
};

Sold one_shard();            // several segments and snapshots
Sold three_after_two();      // the number of shards has changed
Sold after_accepted_loss();  // its log was damaged and cut
Sold killed();  // two shards; the database has everything, the log does not know how far it reaches
Sold without_database();  // --db none, two shards

// Starts a server on what stands in server.data() and asks it everything that must still be true: each acknowledged order
// answers as it did, no id is given again, the books add up, the database and `stampede audit` agree (when `is_database_sound`),
// and it stops. Returns what is wrong; empty: nothing. The server is running or refused when it is called.
std::string what_is_wrong(Server& server, const Sold& sold, bool is_database_sound);

}  // namespace stampede::e2e

// Rows that a database refused, put in once the cause is gone.
//
// The lines of the table `rejected` say what was refused then; what has happened since is in the order log. So each order that
// has a line is written as the log has it now, with its payments, and its lines go in the same transaction. A row that is
// refused again gets a new line. An order that the log has forgotten cannot be written: its lines stay, and say what they said.
#pragma once

#include "drain/database.h"
#include "drain/item_names.h"
#include "drain/sink.h"
#include "node/data.h"

namespace stampede::node {

struct SettledRejects {
  size_t orders = 0;     // that were written
  size_t refused = 0;    // rows that were refused again
  size_t forgotten = 0;  // lines that stay
};

// Of all streams of the directory's node. `data` is restored, and all of it is in the database already. An error: the database did not
// answer, or another drainer is at work; what was put in until then stays, and the call can be repeated.
[[nodiscard]] Result<SettledRejects> settle_rejects(const Data& data, const drain::ItemNames& names,
                                                    const drain::DatabaseUrl& url,
                                                    drain::Sink& sink, int64_t now_ms);

}  // namespace stampede::node

// hiredis believes the head of a reply: for `*536870912` it takes 4 GiB of address space, and walks through all of it when the
// connection ends, which is half a minute of the thread; a shard's thread would answer nobody meanwhile. So an array of more
// elements than any reply has ends the connection like every other reply that cannot be.
#pragma once

#include <cstdint>

struct redisContext;
struct redisReader;

namespace stampede::cluster {

// An item's hash, the largest reply, has some fields for each stream of 1,024 nodes.
constexpr uint32_t reply_elements_max = 1024 * 1024;

// Of a connection that has read nothing yet.
void bound_replies(redisReader& reader);
// Why hiredis has ended it.
[[nodiscard]] const char* error_text(const redisContext& context);

}  // namespace stampede::cluster

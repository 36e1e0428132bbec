// hiredis believes the head of a reply: for `*536870912` it takes 4 GiB of address space, and walks through all of it when the
// connection ends, which is half a minute of the thread; a shard's thread would answer nobody meanwhile. So an array of more
// elements than any reply has ends the connection like every other reply that cannot be. And it keeps all bytes of a text whose
// end has not come yet, for as long as they come: so do more bytes than any reply has.
#pragma once

#include <cstddef>
#include <cstdint>

struct redisContext;
struct redisReader;

namespace stampede::cluster {

// An item's hash, the largest reply, has some fields for each stream of 1,024 nodes.
constexpr uint32_t reply_elements_max = 1024 * 1024;

// The most bytes of one reply: a page of items (lua/read.lua) has some tens of MiB when hundreds of streams hold each of them.
constexpr size_t reply_bytes_max = 128 * 1024 * 1024;

// Of a connection that has read nothing yet.
void bound_replies(redisReader& reader);
// How many bytes hiredis keeps that are no whole reply yet.
[[nodiscard]] size_t unparsed_bytes(const redisReader& reader);
// Of a reply that is over a bound.
constexpr char kReplyTooLarge[] = "a reply that is too large, or no memory for it";
// Why hiredis has ended it.
[[nodiscard]] const char* error_text(const redisContext& context);

}  // namespace stampede::cluster

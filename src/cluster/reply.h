// Numbers in hiredis' replies. A script's numbers come as integers, or as text where they were stored as such.
#pragma once

#include <hiredis/hiredis.h>

#include <charconv>
#include <cstdint>

namespace stampede::cluster {

// -1 when the reply is no number.
inline int64_t integer_of(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_INTEGER) return reply.integer;
  int64_t number = -1;
  if (reply.type == REDIS_REPLY_STRING) std::from_chars(reply.str, reply.str + reply.len, number);
  return number;
}

}  // namespace stampede::cluster

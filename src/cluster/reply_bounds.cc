#include "cluster/reply_bounds.h"

#include <hiredis/hiredis.h>

namespace stampede::cluster {
namespace {

void* (*create_array)(const redisReadTask*, int) = nullptr;

// Null: hiredis ends the connection, as if there were no memory.
void* create_bounded_array(const redisReadTask* task, int elements) {
  if (elements > static_cast<int>(reply_elements_max)) return nullptr;
  return create_array(task, elements);
}

redisReplyObjectFunctions bounded(redisReplyObjectFunctions functions) {
  create_array = functions.createArray;
  functions.createArray = create_bounded_array;
  return functions;
}

}  // namespace

void bound_replies(redisReader& reader) {
  static redisReplyObjectFunctions functions = bounded(*reader.fn);
  reader.fn = &functions;
}

size_t unparsed_bytes(const redisReader& reader) {
  return reader.len - reader.pos;
}

const char* error_text(const redisContext& context) {
  return context.err == REDIS_ERR_OOM ? kReplyTooLarge : context.errstr;
}

}  // namespace stampede::cluster

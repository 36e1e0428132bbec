// Records and batches as lines for people: `stampede log inspect`. Names and values, in the words
// of the code; texts quoted, so that no byte of a client's reaches a terminal as anything but text.
#pragma once

#include <string>

#include "orderlog/reader.h"
#include "orderlog/record.h"

namespace stampede::orderlog {

// reserve order_id=00c0000000024004 item=5 qty=2 amount=19800 currency=EUR …
[[nodiscard]] std::string text_of(const Record& record);

// batch seq=42 segment=7 offset=8192 body_bytes=360 records=3 first_lsn=120 last_lsn=122 …
[[nodiscard]] std::string text_of(const Batch& batch);

}  // namespace stampede::orderlog

// A run's latencies as a log of HdrHistogram (format version 1.3, histograms in their V2 encoding, compressed): the format that
// tools for latencies read, draw and merge, over seconds, runs and machines.
//
//   #[StartTime: 1795860000.000 (seconds since epoch)]
//   "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
//   0.000,1.000,2.769,HISTFAAAA…              all orders of a second; the maximum in ms
//   Tag=created,0.000,60.000,9.1,HISTFAAAA…   one kind of answer over the whole run
//
// Values are ns with two significant digits: their buckets are half as wide as those of our Histogram, so that nothing
// is lost on the way. A value above 39 hours counts as 39 hours.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/histogram.h"
#include "base/result.h"

namespace stampede::load {

// The last field of a line.
[[nodiscard]] std::string hdr_text(const Histogram& histogram);

[[nodiscard]] std::string hdr_heading(int64_t begin_wall_ns);
// `tag` may be empty.
[[nodiscard]] std::string hdr_line(std::string_view tag, double begin_s, double length_s,
                                   const Histogram& histogram);

}  // namespace stampede::load

#include "stock/journal.h"

#include "base/check.h"

namespace stampede::stock {

Lsn commit(Journal& journal, StreamState& state, const orderlog::Record& record, Moment now) {
  const Lsn lsn = journal.append(record);
  const Status applied = state.apply(record, lsn, now);
  // What is decided must follow from the state: anything else would not survive a restart either.
  CHECK(bool(applied));
  return lsn;
}

Lsn commit(Journal& journal, StreamState& state, const orderlog::Reserve& record,
           OrderHashes hashes, Moment now) {
  const Lsn lsn = journal.append(record);
  CHECK(bool(state.apply(record, hashes, lsn, now)));
  return lsn;
}

}  // namespace stampede::stock

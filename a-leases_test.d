leases_test.o: test/unit/stock/leases_test.cc src/stock/leases.h \
 src/base/clock.h src/base/ring.h src/base/reserved.h src/base/check.h \
 src/ledger/messages.h src/base/hash.h src/order.h src/base/text.h \
 src/bounds.h src/stock/catalog.h src/base/buckets.h src/base/slab.h \
 src/orderlog/record.h src/stock/code_filter.h src/stock/journal.h \
 src/stock/stream_state.h src/base/result.h src/base/text_arena.h \
 test/unit/stock/../base/death.h src/ledger/book.h \
 test/unit/stock/test_journal.h
src/stock/leases.h:
src/base/clock.h:
src/base/ring.h:
src/base/reserved.h:
src/base/check.h:
src/ledger/messages.h:
src/base/hash.h:
src/order.h:
src/base/text.h:
src/bounds.h:
src/stock/catalog.h:
src/base/buckets.h:
src/base/slab.h:
src/orderlog/record.h:
src/stock/code_filter.h:
src/stock/journal.h:
src/stock/stream_state.h:
src/base/result.h:
src/base/text_arena.h:
test/unit/stock/../base/death.h:
src/ledger/book.h:
test/unit/stock/test_journal.h:

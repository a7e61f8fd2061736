/*
 * The hardware clock: read once at the start. It counts seconds in UTC, in BCD or binary, and must
 * not be read while it is updating itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "posix/misc/system.h"

enum {
	RTC_SECOND = 0,
	RTC_MINUTE = 2,
	RTC_HOUR = 4,
	RTC_DAY = 7,
	RTC_MONTH = 8,
	RTC_YEAR = 9,
	RTC_STATUS_A = 10,
	RTC_STATUS_B = 11,
	RTC_CENTURY = 50
};
#define UPDATING 0x80u
#define MODE_BINARY 0x04u
#define MODE_24 0x02u
#define PM 0x80u

struct moment {
	unsigned second, minute, hour, day, month, year;
};

static unsigned cell(int ports, unsigned n)
{
	uint32_t value = 0;

	k_ioport_out(ports, 0, 1, n);
	k_ioport_in(ports, 1, 1, &value);
	return value & 0xff;
}

static unsigned decimal(unsigned v, unsigned mode)
{
	return mode & MODE_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static struct moment moment_read(int ports, unsigned mode)
{
	unsigned hour = cell(ports, RTC_HOUR);
	struct moment m = { .second = decimal(cell(ports, RTC_SECOND), mode),
			    .minute = decimal(cell(ports, RTC_MINUTE), mode),
			    .day = decimal(cell(ports, RTC_DAY), mode),
			    .month = decimal(cell(ports, RTC_MONTH), mode),
			    .year = decimal(cell(ports, RTC_YEAR), mode) };

	m.hour = decimal(hour & ~PM, mode);
	if (!(mode & MODE_24))
		m.hour = m.hour % 12 + (hour & PM ? 12 : 0);
	m.year += m.year < 70 ? 2000 : 1900;
	return m;
}

static bool moment_same(const struct moment *a, const struct moment *b)
{
	return a->second == b->second && a->minute == b->minute && a->hour == b->hour &&
	       a->day == b->day && a->month == b->month;
}

/* Days since 1970 of a Gregorian date, counting years from March. */
static int64_t days(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2), era = y / 400, of_era = y - era * 400;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day -
	       1 - 719468;
}

void system_clock_start(int ports)
{
	struct moment a, b = { 0 };
	unsigned mode;
	int64_t seconds;

	if (ports < 0)
		return;
	mode = cell(ports, RTC_STATUS_B);
	/*
	 * twice the same, so no update fell between; without a clock the cells read 0xff and the
	 * date is absurd
	 */
	for (int tries = 0; tries < 1000; tries++) {
		if (cell(ports, RTC_STATUS_A) & UPDATING)
			continue;
		a = moment_read(ports, mode);
		if (tries && moment_same(&a, &b))
			break;
		b = a;
	}
	if (b.month < 1 || b.month > 12 || b.day < 1 || b.day > 31 || b.hour > 23 ||
	    b.minute > 59 || b.second > 60)
		return;
	seconds = days(b.year, b.month, b.day) * 86400 + b.hour * 3600 + b.minute * 60 + b.second;
	k_clock_set(grants.control, seconds * NS_PER_SEC);
}

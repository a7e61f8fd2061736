/*
 * Formatted output: one formatter with a sink, the kernel log as a ring, and the early console.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lib/print.h"
#include <stdint.h>
#include "arch/time.h"
#include "dev/console.h"
#include "lib/string.h"

#define LOG_SIZE 16384 /* a power of two */

struct sink {
	void (*put)(struct sink *, const char *text, size_t size);
	char *buffer;
	size_t size, length;
};

struct spec {
	bool left, zero, plus, space, alternate;
	int width, precision; /* precision -1: none */
	char conversion;
};

static char log_ring[LOG_SIZE];
static size_t log_end; /* counts all bytes ever written */
static bool log_line_start = true;
static bool console_on = true;

static void put_buffer(struct sink *s, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++, s->length++)
		if (s->length + 1 < s->size)
			s->buffer[s->length] = text[i];
}

/*
 * "<6>[    1.234567] ": priority and time, as programs that read the log expect them before each
 * line.
 */
static void log_stamp(void)
{
	uint64_t us = (uint64_t)arch_time_ns() / 1000, part = 10000000000ull;
	char text[] = "<6>[            ] ";

	for (int i = 4; i < 16; i++, part /= 10) {
		if (i == 9)
			text[i++] = '.';
		if (us >= part || i >= 8)
			text[i] = (char)('0' + us / part % 10);
	}
	for (size_t i = 0; text[i]; i++)
		log_ring[log_end++ % LOG_SIZE] = text[i];
}

static void put_log(struct sink *s, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (log_line_start)
			log_stamp();
		log_ring[log_end++ % LOG_SIZE] = text[i];
		log_line_start = text[i] == '\n';
	}
	if (console_on)
		console_write(text, size);
	s->length += size;
}

static void pad(struct sink *s, char c, int count)
{
	while (count-- > 0)
		s->put(s, &c, 1);
}

/* Text with a prefix that zeros go behind. */
static void put_field(struct sink *s, const struct spec *p, const char *prefix, const char *text,
		      size_t size, int zeros)
{
	size_t sign = strlen(prefix);
	int fill = p->width - (int)(sign + size) - zeros;
	if (p->zero && !p->left && fill > 0) {
		zeros += fill;
		fill = 0;
	}
	if (!p->left)
		pad(s, ' ', fill);
	s->put(s, prefix, sign);
	pad(s, '0', zeros);
	s->put(s, text, size);
	if (p->left)
		pad(s, ' ', fill);
}

static void put_number(struct sink *s, struct spec *p, uint64_t value, bool negative)
{
	char digits[24];
	size_t n = sizeof(digits);
	unsigned base = p->conversion == 'x' || p->conversion == 'X' ? 16 :
			p->conversion == 'o' ? 8 : 10;
	const char *set = p->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	const char *prefix = negative ? "-" : p->plus ? "+" : p->space ? " " : "";
	if (p->alternate && base == 16 && value)
		prefix = p->conversion == 'X' ? "0X" : "0x";
	for (; value; value /= base)
		digits[--n] = set[value % base];
	if (n == sizeof(digits) && p->precision != 0)
		digits[--n] = '0';
	int zeros = 0;
	if (p->precision >= 0) {
		p->zero = false;
		zeros = p->precision - (int)(sizeof(digits) - n);
	}
	put_field(s, p, prefix, digits + n, sizeof(digits) - n, zeros > 0 ? zeros : 0);
}

static const char *parse_number(const char *f, int *value, va_list *args)
{
	if (*f == '*') {
		*value = va_arg(*args, int);
		return f + 1;
	}
	for (*value = 0; *f >= '0' && *f <= '9'; f++)
		*value = *value * 10 + (*f - '0');
	return f;
}

static const char *parse_spec(const char *f, struct spec *p, unsigned *length, va_list *args)
{
	*p = (struct spec){ .precision = -1 };
	for (;; f++) {
		if (*f == '-')
			p->left = true;
		else if (*f == '0')
			p->zero = true;
		else if (*f == '+')
			p->plus = true;
		else if (*f == ' ')
			p->space = true;
		else if (*f == '#')
			p->alternate = true;
		else
			break;
	}
	f = parse_number(f, &p->width, args);
	if (p->width < 0) {
		p->left = true;
		p->width = -p->width;
	}
	if (*f == '.')
		f = parse_number(f + 1, &p->precision, args);
	*length = sizeof(int);
	for (;; f++) {
		if (*f == 'l' || *f == 'z' || *f == 't' || *f == 'j')
			*length = sizeof(long);
		else if (*f == 'h')
			*length /= 2;
		else
			break;
	}
	p->conversion = *f;
	return *f ? f + 1 : f;
}

static uint64_t argument(unsigned length, bool is_signed, va_list *args)
{
	uint64_t v = length == 8 ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
	if (length == 8)
		return v;
	unsigned shift = 64 - 8 * length;
	return is_signed ? (uint64_t)((int64_t)(v << shift) >> shift) : v << shift >> shift;
}

static void convert(struct sink *s, struct spec *p, unsigned length, va_list *args)
{
	char c;
	const char *text;
	uint64_t v;
	switch (p->conversion) {
	case 'd':
	case 'i':
		v = argument(length, true, args);
		put_number(s, p, (int64_t)v < 0 ? -v : v, (int64_t)v < 0);
		break;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		put_number(s, p, argument(length, false, args), false);
		break;
	case 'p':
		p->conversion = 'x';
		p->alternate = true;
		put_number(s, p, (uint64_t)va_arg(*args, void *), false);
		break;
	case 's':
		text = va_arg(*args, const char *);
		if (!text)
			text = "(null)";
		put_field(s, p, "", text,
			  p->precision >= 0 ? strnlen(text, (size_t)p->precision) : strlen(text),
			  0);
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		put_field(s, p, "", &c, 1, 0);
		break;
	default:
		s->put(s, &p->conversion, p->conversion ? 1 : 0);
	}
}

static void format_to(struct sink *s, const char *f, va_list args)
{
	va_list copy;
	va_copy(copy, args);
	while (*f) {
		const char *start = f;
		while (*f && *f != '%')
			f++;
		if (f > start)
			s->put(s, start, (size_t)(f - start));
		if (*f) {
			struct spec p;
			unsigned length;
			f = parse_spec(f + 1, &p, &length, &copy);
			convert(s, &p, length, &copy);
		}
	}
	va_end(copy);
}

int kvsnprintf(char *buffer, size_t size, const char *format, va_list args)
{
	struct sink s = { .put = put_buffer, .buffer = buffer, .size = size };
	format_to(&s, format, args);
	if (size)
		buffer[s.length < size ? s.length : size - 1] = 0;
	return (int)s.length;
}

int ksnprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = kvsnprintf(buffer, size, format, args);
	va_end(args);
	return n;
}

void kvprintf(const char *format, va_list args)
{
	struct sink s = { .put = put_log };
	format_to(&s, format, args);
}

void kprintf(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	kvprintf(format, args);
	va_end(args);
}

void klog_write(const char *text, size_t size, bool console)
{
	bool was = console_on;
	struct sink s = { 0 };

	console_on = was && console;
	put_log(&s, text, size);
	console_on = was;
}

size_t klog_copy(char *buffer, size_t size)
{
	size_t end = log_end, have = end < LOG_SIZE ? end : LOG_SIZE;
	if (size > have)
		size = have;
	for (size_t i = 0; i < size; i++)
		buffer[i] = log_ring[(end - size + i) % LOG_SIZE];
	return size;
}

size_t klog_read(uint64_t *position, char *buffer, size_t size)
{
	uint64_t oldest = log_end > LOG_SIZE ? log_end - LOG_SIZE : 0;
	size_t n = 0;

	if (*position < oldest)
		*position = oldest;
	while (n < size && *position < log_end)
		buffer[n++] = log_ring[(*position)++ % LOG_SIZE];
	return n;
}

void klog_set_console(bool on)
{
	console_on = on;
}

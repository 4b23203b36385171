/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The names of types, classes and response codes: three tables, read in both directions.
 */

#include "wire/dns.h"

#include <stdio.h>

struct number {
    uint16_t value;
    const char *name;
};

/* As IANA lists them; what is left out is read and shown as TYPEn. */
static const struct number types[] = {
    {1, "A"},       {2, "NS"},        {3, "MD"},          {4, "MF"},          {5, "CNAME"},
    {6, "SOA"},     {7, "MB"},        {8, "MG"},          {9, "MR"},          {10, "NULL"},
    {11, "WKS"},    {12, "PTR"},      {13, "HINFO"},      {14, "MINFO"},      {15, "MX"},
    {16, "TXT"},    {17, "RP"},       {18, "AFSDB"},      {19, "X25"},        {20, "ISDN"},
    {21, "RT"},     {24, "SIG"},      {25, "KEY"},        {26, "PX"},         {28, "AAAA"},
    {29, "LOC"},    {30, "NXT"},      {33, "SRV"},        {35, "NAPTR"},      {36, "KX"},
    {37, "CERT"},   {39, "DNAME"},    {41, "OPT"},        {42, "APL"},        {43, "DS"},
    {44, "SSHFP"},  {45, "IPSECKEY"}, {46, "RRSIG"},      {47, "NSEC"},       {48, "DNSKEY"},
    {49, "DHCID"},  {50, "NSEC3"},    {51, "NSEC3PARAM"}, {52, "TLSA"},       {53, "SMIMEA"},
    {55, "HIP"},    {59, "CDS"},      {60, "CDNSKEY"},    {61, "OPENPGPKEY"}, {62, "CSYNC"},
    {63, "ZONEMD"}, {64, "SVCB"},     {65, "HTTPS"},      {99, "SPF"},        {104, "NID"},
    {105, "L32"},   {106, "L64"},     {107, "LP"},        {108, "EUI48"},     {109, "EUI64"},
    {249, "TKEY"},  {250, "TSIG"},    {251, "IXFR"},      {252, "AXFR"},      {253, "MAILB"},
    {254, "MAILA"}, {255, "ANY"},     {256, "URI"},       {257, "CAA"},
};

static const struct number classes[] = {
    {1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"},
};

static const struct number rcodes[] = {
    {0, "NOERROR"},  {1, "FORMERR"},  {2, "SERVFAIL"},   {3, "NXDOMAIN"}, {4, "NOTIMP"},
    {5, "REFUSED"},  {6, "YXDOMAIN"}, {7, "YXRRSET"},    {8, "NXRRSET"},  {9, "NOTAUTH"},
    {10, "NOTZONE"}, {16, "BADVERS"}, {23, "BADCOOKIE"},
};

enum {
    N_TYPES = sizeof(types) / sizeof(types[0]),
    N_CLASSES = sizeof(classes) / sizeof(classes[0]),
    N_RCODES = sizeof(rcodes) / sizeof(rcodes[0]),
};

static const char *show(const struct number *rows, size_t n, const char *prefix, uint16_t value,
                        char text[DNS_TYPE_TEXT_MAX])
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].value == value) {
            slice_copy(slice_from(rows[i].name), text, DNS_TYPE_TEXT_MAX);
            return text;
        }
    }
    snprintf(text, DNS_TYPE_TEXT_MAX, "%s%u", prefix, value);
    return text;
}

static int read_number(const struct number *rows, size_t n, struct slice prefix, struct slice text,
                       uint16_t *ret_value)
{
    uint64_t value;
    for (size_t i = 0; i < n; i++) {
        if (slice_equal_nocase(text, slice_from(rows[i].name))) {
            *ret_value = rows[i].value;
            return 0;
        }
    }
    if (text.len <= prefix.len || !slice_equal_nocase(slice_make(text.ptr, prefix.len), prefix) ||
        slice_to_u64(slice_skip(text, prefix.len), &value) < 0 || value > UINT16_MAX)
        return -1;
    *ret_value = (uint16_t)value;
    return 0;
}

const char *dns_type_show(uint16_t type, char text[DNS_TYPE_TEXT_MAX])
{
    return show(types, N_TYPES, "TYPE", type, text);
}

int dns_type_read(struct slice text, uint16_t *ret_type)
{
    return read_number(types, N_TYPES, SLICE("TYPE"), text, ret_type);
}

const char *dns_class_show(uint16_t class, char text[DNS_TYPE_TEXT_MAX])
{
    return show(classes, N_CLASSES, "CLASS", class, text);
}

int dns_class_read(struct slice text, uint16_t *ret_class)
{
    return read_number(classes, N_CLASSES, SLICE("CLASS"), text, ret_class);
}

const char *dns_rcode_show(uint16_t rcode, char text[DNS_RCODE_TEXT_MAX])
{
    return show(rcodes, N_RCODES, "RCODE", rcode, text);
}

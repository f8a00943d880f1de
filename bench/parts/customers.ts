/** Customers with three hidden values each: `ssn`, `card.number` and `phone`. Of 36 the JSON has 11 KB. */
export function customers(count = 36): readonly object[] {
  return Array.from({ length: count }, (_, index) => ({
    id: index,
    name: `Customer number ${index}`,
    ssn: `078-05-${1_100 + index}`,
    card: { number: '4111 1111 1111 1111', expires: '12/29' },
    address: { street: `${index} Long Street, Back Building`, city: 'Springfield', zip: '12345', country: 'United States of America' },
    phone: '+1 202 555 0143',
    tags: ['retail', 'newsletter', 'since last year'],
  }));
}

/*
 * Runs before each file of the suites that change the network they run in: links, routes, rules, firewall. That must be the laboratory's,
 * and never the machine's.
 */
if (process.env['FLANNEL_LAB'] !== '1')
  throw new Error(
    'this suite changes the network it runs in: run it as npm test -- --project …, which makes one of its own',
  )

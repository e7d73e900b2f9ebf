import { availableParallelism, cpus, hostname, totalmem } from 'node:os'
import { cpu } from 'systeminformation'
import { expect, test } from 'vitest'
import { machineDetails, processorName } from '../src/machine.ts'

test('the details are those of this machine, in the words of the wire', async () => {
  const details = await machineDetails()
  expect(details).toEqual({
    hostname: hostname(),
    cpu_percent_used: expect.any(Number),
    ram: totalmem(),
    cpu: expect.stringMatching(/\S/),
    cpu_cores: availableParallelism(),
  })
  expect(details.cpu_percent_used).toBeGreaterThanOrEqual(0)
  expect(details.cpu_percent_used).toBeLessThanOrEqual(100)
})

test('a busy processor is seen', async () => {
  let busy = true
  const turn = () => {
    const until = performance.now() + 20
    while (performance.now() < until);
    if (busy) setImmediate(turn)
  }
  turn()
  const { cpu_percent_used } = await machineDetails()
  busy = false
  // One of the cores was busy all the time. Half of its share is asked for, with others on this machine.
  expect(cpu_percent_used).toBeGreaterThan(50 / cpus().length)
})

test('the name of the processor is the one that Node knows', async () => {
  expect(await processorName('Cortex-A72')).toBe('Cortex-A72')
})

test.each(['unknown', ''])('where Node says %j, systeminformation finds a name', async (known) => {
  const { manufacturer, brand } = await cpu()
  expect(await processorName(known)).toBe(`${manufacturer} ${brand}`.trim() || 'unknown')
})

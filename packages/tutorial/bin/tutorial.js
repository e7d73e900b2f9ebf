#!/usr/bin/env node
// Node 20 does not run TypeScript by itself: tsx does, from here on.
import { register } from 'tsx/esm/api'

register()
await import('../src/cli.ts')

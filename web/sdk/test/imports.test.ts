import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

/** The relative imports of each TypeScript file under a folder, by the path of the file without its extension. */
function importGraph(folder: string): Map<string, string[]> {
  const files = readdirSync(folder).filter(name => /\.tsx?$/.test(name)).map(name => join(folder, name))
  return new Map(files.map(file => {
    const imports = [...readFileSync(file, 'utf8').matchAll(/\b(?:from|import) '(\.[^']*)'/g)].map(([, path]) => join(dirname(file), path!))
    return [withoutExtension(file), imports.map(withoutExtension)]
  }))
}

const withoutExtension = (path: string) => path.replace(/\.(js|tsx?)$/, '')

/** The first cycle that a depth-first search finds. */
function findCycle(graph: Map<string, string[]>): string[] | undefined {
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const imported of graph.get(file) ?? []) {
      const cycle = visit(imported, [...path, file])
      if (cycle) return cycle
    }
    done.add(file)
    return undefined
  }
  for (const file of graph.keys()) {
    const cycle = visit(file, [])
    if (cycle) return cycle
  }
  return undefined
}

test.each(['sdk/src', 'sdk/test', 'pages/src', 'pages/test'])('%s has no import cycle', folder => {
  const graph = importGraph(join(import.meta.dirname, '../..', folder))
  expect(graph.size).toBeGreaterThan(0)
  expect(findCycle(graph)).toBeUndefined()
})

test('an import cycle is found', () => {
  expect(findCycle(new Map([['a', ['b']], ['b', ['c', 'd']], ['c', []], ['d', ['b']]]))).toEqual(['b', 'd', 'b'])
})

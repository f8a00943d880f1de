/** A Deployment and a ConfigMap, of which `count` changes something. */
export function shop(count: number): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: shop, labels: { app: shop } }
spec:
  replicas: 2
  selector: { matchLabels: { app: shop } }
  template:
    metadata: { labels: { app: shop } }
    spec:
      containers:
        - { name: main, image: 'registry.example/shop:${count}', ports: [ { containerPort: 80 } ], env: [ { name: COUNT, value: "${count}" } ] }
---
${settings(count)}`;
}

export function settings(count: number): string {
  return `apiVersion: v1
kind: ConfigMap
metadata: { name: settings, labels: { app: shop } }
data: { count: "${count}", kept: "as it is" }
`;
}

/** A pod of one container that runs this shell command. */
export function pod(name: string, command: string, more = ''): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: web } }
spec:
  containers:
    - name: main
      image: registry.example/web:1
      command: [ sh, -c, ${JSON.stringify(command)} ]
${more}`;
}
